"""The same log in other vocabularies. Pure functions: a Transcript in, text out."""
