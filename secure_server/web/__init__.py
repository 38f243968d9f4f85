"""The page, and HTTP: what ALPN `http/1.1` leads to on the port that everybody uses.

`listener` takes connections over behind their handshake, `exchange` reads requests and answers them, `routes` says by
what, `sameness` whose they may be, `page` is the files, and `web_wire` carries a session in WebSocket frames.
"""
