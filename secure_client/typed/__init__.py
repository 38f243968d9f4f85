"""What was typed, before it is sent: its words, what they are given for, the files they name, and whether it is meant.

All of it is for commands that a person or a script types at the bundled programs; the library sends what it is given.
"""
