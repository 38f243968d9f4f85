"""Saved servers: what is kept of one and where, how a target is found among them, and how one is enrolled."""
