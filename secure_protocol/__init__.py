"""What both sides of the wire speak.

Pure: bytes in, values out. Nothing here opens a socket, starts a thread, reads a clock or writes a log, so every
line can be tested without a network. The wire itself is described in docs/protocol.md.
"""
