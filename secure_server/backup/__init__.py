"""Copies of all that a server needs to be what it was; `secure-server restore` puts one back."""
