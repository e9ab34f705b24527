"""Tables and threads over HTTP: asked for, told something, read, taken away as files."""
