"""Any bytes give requests, replies or ProtocolError, nothing else, within the limits, however they are cut.

For `scripts/fuzz.py`, which runs it under atheris: coverage leads the bytes to where the codecs branch. It holds what
`test_codecs.py` holds, whose checks it calls.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore] # optional; not where mypy runs

with atheris.instrument_imports(include=["secure_protocol"]):
    from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
    from secure_protocol.resp_requests import RespRequestDecoder
    from secure_protocol.text_requests import TextRequestDecoder
    from tests.fuzz.test_codecs import check_replies, check_requests, check_written

LIMITS = (BEFORE_AUTHENTICATION, AUTHENTICATED, RequestLimits(40, 5, 4, 60))
"""Those of strangers and of clients, and some that a few bytes reach."""
CUTS = 4
"""Places at which one input may be cut; `test_codecs.py` tries more with shorter inputs."""


def one_input(data: bytes) -> None:
    """Hold the invariant for one input; the first byte chooses limits and cuts, so the rest stays what a peer sends.

    Raises:
        AssertionError: it does not hold.
    """
    if not data:
        return
    chosen, data = data[0], data[1:]
    allowed = LIMITS[chosen % len(LIMITS)]
    at = [(chosen * 7 + place * 31) % (len(data) + 1) for place in range(chosen % CUTS)]
    for decoder in (RespRequestDecoder, TextRequestDecoder):
        assert check_requests(decoder(), data, at, allowed) == check_requests(decoder(), data, [], allowed)
    found, error = check_replies(data, at)
    whole, same_error = check_replies(data, [])
    assert error == same_error
    # An error takes with it the replies of the same read, for the connection is of no more use.
    assert repr(found[: len(whole)] if error else found) == repr(whole)
    for value in found:
        check_written(value)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
