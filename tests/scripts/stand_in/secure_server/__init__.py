"""Stands in for the program of that name."""
