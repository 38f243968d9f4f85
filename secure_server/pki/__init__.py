"""Certificates: a local CA, what it signs, and the proof that both are good.

`names` says what a certificate may be made for, `profile` what a good certificate looks like, `store` keeps the files,
`ensure` decides what is kept and what is renewed, `handshake` and `verify` prove the result, and `preflight` looks at
the server's pair before the server starts. Nothing here prints; see secure_server/cli/certs.py.
"""
