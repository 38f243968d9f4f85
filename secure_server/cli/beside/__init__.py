"""Changing a data directory beside a server that may run there: it takes the change up, and the trail has it."""
