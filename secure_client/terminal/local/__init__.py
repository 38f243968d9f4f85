r"""Commands of the terminal itself, typed with a backslash, and what they have it remember."""
