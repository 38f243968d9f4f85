"""One peer's protocol state, sans I/O, and the population of all of them."""
