"""How entries travel: event streams, lines, WebSockets."""
