"""Anything that streams, by address: one invocation, one chain, one stream, with control outside the stream."""
