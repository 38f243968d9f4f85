"""What happens, told to those who watch it: events, and lines of the log."""
