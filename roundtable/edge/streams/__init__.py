"""Any resource as a stream, in the view that one wants."""
