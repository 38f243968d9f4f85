"""Who a peer is: tokens at rest, and the way from a credential to a principal.

`Tokens` makes, lists, rotates and revokes; `TokenAuthenticator` answers "who is this?" from memory on any
thread; `TokenWatch` brings changes made by other processes into that memory. Storage satisfies the
`TokenStorage` Protocol declared here; `SQLiteTokenStorage` is the one in use. Nothing here opens a socket.
"""
