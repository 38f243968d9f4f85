"""Sockets, TLS and the threads that own them. The only package that touches a socket.

    acceptor ──raw socket──▶ handshake ──TLS established──▶ connection

The first two share an `EventLoop` (a thread, a poller, timers and a wakeup), the newcomers'; connections have others.
"""
