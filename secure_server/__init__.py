"""The server: runs a few vetted commands for authenticated peers.

`secure_server.server` is the composition root; `secure_server.cli` is the program. What may import what is drawn in
tests/test_house.py.
"""

__version__ = "0.1.0"
