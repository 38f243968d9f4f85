"""Commands that run a program: declared, started, fed and ended."""
