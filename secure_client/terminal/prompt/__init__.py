"""The prompt: a line that is read while the connection comes and goes, and all that helps to type it."""
