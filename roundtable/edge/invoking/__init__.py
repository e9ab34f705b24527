"""Anything that can be invoked, over HTTP and over one WebSocket."""
