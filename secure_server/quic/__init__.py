"""Sessions over QUIC (RFC 9000), which stay when their peer's network changes; docs/quic.md tells of it.

`listener` has the sockets and the thread, `line` is one connection, `conversation` its session, and `library` all that
goes by private names of aioquic.
"""
