"""What happened, kept: an ordered, durable log per stream. `base` is the seam, the other files are stores."""
