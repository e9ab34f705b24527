"""The tables this node's users ask for, and which node owns them."""
