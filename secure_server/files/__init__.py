"""Files where somebody else might have a hand in: whose a directory is, and opening what is in it."""
