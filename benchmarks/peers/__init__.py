"""Servers to compare with: each answers the same RESP `ECHO` over the same TLS, in a file of its own."""
