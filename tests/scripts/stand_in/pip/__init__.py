"""Stands in for pip in tests: notes how it was called, in the checkout, and does as the test asks."""
