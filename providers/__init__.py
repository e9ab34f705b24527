"""WHO SPEAKS: one file per dialect. A new provider is a new file and one line in `catalog.py` (or an entry point)."""
