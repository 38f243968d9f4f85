"""Replies that arrive as they are produced: what a generator yields.

RESP3 gets each value as a push, text its lines, and the final reply last. RESP2 has no push, so its values are
collected into one array, within a bound.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from secure_protocol.errors import CommandError
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.session.call import Call, CallEndedError
from secure_server.session.codecs import Codec

COLLECTED_BYTES = 1024 * 1024
"""The longest streamed reply on RESP2, encoded; who wants more speaks RESP3."""


def stream(context: Context, call: Call, values: Iterator[object]) -> bytes:
    """Send what `values` gives, one by one, and return the encoded final reply.

    The generator is closed whatever happens, so its `finally` runs also when the peer has gone.

    Raises:
        CallEndedError: it was told to stop.
        CommandError: too much for RESP2.
        Exception: what the generator raises.
    """
    codec = context.session.codec
    try:
        if not codec.streams:
            return _collect(codec, call, values)
        while True:
            try:
                value = next(values)
            except StopIteration as end:
                return codec.end(end.value)
            call.send(codec.part(value))
    finally:
        if isinstance(values, Generator):
            values.close()


def _collect(codec: Codec, call: Call, values: Iterator[object]) -> bytes:
    collected: list[object] = []
    size = 0
    for value in values:
        if call.ended_by is not None:
            raise CallEndedError
        size += len(codec.part(value))
        if size > COLLECTED_BYTES:
            raise CommandError(
                N_("The output is longer than {limit} bytes; ask for it with RESP3, which streams it."),
                limit=COLLECTED_BYTES,
            )
        collected.append(value)
    return codec.reply(collected)
