"""Time the codecs alone: python -m benchmarks.loads.codec ITERATIONS. Prints ns a request as JSON."""

from __future__ import annotations

import json
import sys
import time

from secure_protocol import resp_encoding, text_replies
from secure_protocol.limits import AUTHENTICATED
from secure_protocol.replies import ReplyKind
from secure_protocol.resp_requests import RespRequestDecoder, encode_request
from secure_protocol.text_requests import TextRequestDecoder

DEPTHS = (1, 16)
MOST = 128


def resp(payload: bytes, rounds: int) -> None:
    """Decode and answer a read, again and again, as RESP."""
    decoder = RespRequestDecoder()
    for _ in range(rounds):
        for run in decoder.take(payload, AUTHENTICATED, MOST):
            assert isinstance(run, tuple)  # noqa: S101 - narrows the type
            for arguments in run[1]:
                resp_encoding.encode(arguments[0], 2)


def text(payload: bytes, rounds: int) -> None:
    """Likewise, as lines."""
    decoder = TextRequestDecoder()
    for _ in range(rounds):
        decoder.feed(payload)
        for request in decoder.decode(AUTHENTICATED, MOST):
            assert isinstance(request, list)  # noqa: S101 - narrows the type
            text_replies.encode(request[1].decode(), ReplyKind.TEXT, "ECHO: {}")


def main() -> None:
    """Time both, at each depth."""
    iterations, told = int(sys.argv[1]), {}
    requests = {"resp": encode_request([b"ECHO", b"hello"]), "text": b"ECHO hello\n"}
    for name, run in (("resp", resp), ("text", text)):
        for depth in DEPTHS:
            rounds = max(1, iterations // depth)
            began = time.perf_counter_ns()
            run(requests[name] * depth, rounds)
            told[f"{name}-{depth}"] = (time.perf_counter_ns() - began) / (rounds * depth)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
