"""What a client decides, sans I/O: bytes, the time and requests go in; bytes, results and deadlines come out.

No socket, no TLS, no thread, no event loop and no clock: whoever has those drives a `Link` (see `link`). There are two
who do, `secure_client.connection.thread` and `secure_client.asynchronous`, and what they have in common is here.

    endpoint, trust, login   where to connect, whom to believe, and as whom
    scram, greeting          the words until the server lets us in
    call, watch              one request on its way, and one that follows a job
    closing, backoff         why a connection ended, and when to try again
    link                     all of it together
"""
