"""What both sides of the mutual handshake agree on: SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), bound to TLS (RFC 5929).

The token's id is the user name and its secret the password. The exchange itself is the library's, `scramp`.
"""

from __future__ import annotations

MECHANISM = "SCRAM-SHA-256-PLUS"
"""Said as the first argument of AUTH, in any case; so no token may be named like it."""
FAMILY = "SCRAM-"
"""How the names of such mechanisms begin."""
BINDING = "tls-server-end-point"
"""The channel binding: a hash of the certificate that the connection was served (RFC 5929 section 4)."""
ITERATIONS = 4096
"""Rounds of PBKDF2, the least that RFC 7677 allows. Rounds make guessing slow, and nobody guesses 256 random bits at
any speed; so more of them would only cost each client time (4096 are about 3 ms)."""
MESSAGE_CHARACTERS = 1024
"""The longest message; ours have about 200, most of which are nonces."""
WRONG_BINDING = "channel-bindings-dont-match"
"""What RFC 5802 calls it when the two sides see different certificates: somebody stands between them."""


def is_family(name: str) -> bool:
    """Whether a word names such a mechanism, this one or another."""
    return name.upper().startswith(FAMILY)
