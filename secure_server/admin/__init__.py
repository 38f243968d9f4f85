"""The admin shell: the client's terminal on the server's admin socket.

It speaks the same protocol as everybody, so what it can do is what the role admin may run, and an admin's token gives
the same from another machine with `secure-client`.
"""

ADMIN_SOCKET = "admin.sock"
"""The server's, in its data directory. Here, so that looking for it imports no terminal."""

CLIENT_NAME = "admin-shell"
"""What it calls itself at the server."""
