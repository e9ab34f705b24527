"""WHO DECIDES, REMEMBERS, SERVES: the log, the orchestrator that writes it, the broadcast that reads it, the edge."""

__version__ = "0.1.0"
