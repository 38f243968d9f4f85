"""The server as a whole: figures, events, the log, its end."""
