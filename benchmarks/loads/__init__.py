"""Clients that load a server: each is a program, which does what the lines on its stdin say."""
