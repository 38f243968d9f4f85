"""The commands a person types in a fresh checkout: set up and run, set up and test, make certificates."""
