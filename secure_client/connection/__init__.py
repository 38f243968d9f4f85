"""One connection, and the thread that keeps one: addresses, TLS, the proof of a token, requests and their answers."""
