"""The way in: a connection becomes a session, and a stranger becomes a principal."""
