"""Answers as people read them, and as programs do; rich is imported when a table is drawn, and not before."""
