"""The rules of lint, by what they look at. Each takes a context and adds findings to it."""
