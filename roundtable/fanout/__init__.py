"""One log, many cursors: how entries reach those who watch."""
