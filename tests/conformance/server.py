"""Our command line, for one tester who tries wrong secrets all the time and is to hear 401 each time, not 429."""

import sys

from roundtable import cli
from roundtable.edge import auth

if __name__ == "__main__":
    auth.GUESSES_AT_ONCE = 10**9
    sys.exit(cli.main())
