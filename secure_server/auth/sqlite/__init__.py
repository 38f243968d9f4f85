"""Tokens in an SQLite file: its schema, its rows, how tokens are used up, and the storage of all of it."""
