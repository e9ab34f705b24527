"""What is laid on a table to be read or looked at: taken in, kept, and shown to models that can see it."""
