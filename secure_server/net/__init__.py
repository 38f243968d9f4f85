"""Sockets, TLS and the threads that own them. The only package that touches a socket.

    acceptor ──raw socket──▶ handshake ──TLS established──▶ connection

Each of the three runs on an `EventLoop` of its own: a thread, a poller, timers and a wakeup.
"""
