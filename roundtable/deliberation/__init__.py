"""What methods are made of: what a turn is asked for, how its answer is read, counted and measured. Pure."""
