"""`python -m roundtable.cli`."""

import sys

from roundtable.cli import main

sys.exit(main())
