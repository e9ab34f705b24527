"""HTTP around the host: what comes in is checked here, what goes out gets its form here. Decides nothing."""
