"""How property tests search: anew at each run of a developer, always the same way where a landing depends on it."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
