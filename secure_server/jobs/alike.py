"""Whether two starts ask for the same, so that the second can join the first."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence

from secure_server.commands.command import Command

KEY_BYTES = 32
"""As long as what SHA-256 returns; more adds nothing."""


class Alike:
    """Makes keys that are equal where command and arguments are, and tell nothing of them.

    Secret arguments are compared without being kept: the keys are made with one that is random, and in the memory of
    this process alone, so that nobody who sees keys can try what arguments they are of. They are good until it ends.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(KEY_BYTES)

    def key(self, command: Command, values: Sequence[object], flags: Mapping[str, object]) -> bytes:
        """Return the key of a start.

        Args:
            command: what is started.
            values: as `Signature.bind` returns them: another way to write the same is the same.
            flags: likewise.
        """
        digest = hmac.new(self._secret, digestmod="sha256")
        # Each word with its length, each argument with the number of its words: no two starts give the same bytes.
        for words in ((command.name.encode(),), *command.signature.words(values, flags).values()):
            digest.update(len(words).to_bytes(8, "big"))
            for word in words:
                digest.update(len(word).to_bytes(8, "big"))
                digest.update(word)
        return digest.digest()
