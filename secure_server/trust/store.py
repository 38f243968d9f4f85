"""What can be told to trust a CA."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Protocol

from secure_protocol.sentence import Sentence
from secure_server.trust.anchor import Anchor

PROGRAM_SECONDS = 60.0
"""For one run of a program that changes a store; `update-ca-certificates` takes some seconds on a slow disk."""
SHOWN_CHARACTERS = 300
"""Of what a program that failed has said."""


class TrustError(Exception):
    """A store cannot be looked at or changed; one sentence says why, and what to do."""


class Store(Protocol):
    """A place where a browser or the system looks up whom it trusts."""

    @property
    def place(self) -> str:
        """Where it is, and whose."""

    def holds(self, anchor: Anchor) -> bool:
        """Say whether the CA is trusted there, as it is now.

        Raises:
            TrustError: it cannot be looked at.
        """

    def knows(self, anchor: Anchor) -> bool:
        """Say whether there is anything of the CA to take out, maybe of an earlier one of the same key.

        Raises:
            TrustError: likewise.
        """

    def add(self, anchor: Anchor) -> None:
        """Have the CA trusted there.

        Raises:
            TrustError: it cannot be changed.
        """

    def remove(self, anchor: Anchor) -> None:
        """Have the CA trusted there no more, nor an earlier one of the same key.

        Raises:
            TrustError: likewise.
        """


def run(argv: Sequence[str], given: bytes = b"") -> str:
    """Run a program that asks nobody anything, and return what it says.

    Args:
        argv: the program and its arguments.
        given: its stdin.

    Raises:
        TrustError: it failed, with its own words.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own words, and nickname and paths as arguments of their own
            argv,
            input=given,
            capture_output=True,
            timeout=PROGRAM_SECONDS,
            check=False,
            start_new_session=True,  # without a terminal: it would ask there for a password
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(getattr(error, "strerror", None) or Sentence("it takes too long"))
        raise TrustError(Sentence("{program} cannot be run ({why}).", program=argv[0], why=why)) from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
        raise TrustError(
            Sentence(
                "{program} failed with exit code {number}: {said}",
                program=argv[0],
                number=done.returncode,
                said=said[-SHOWN_CHARACTERS:],
            )
        )
    return done.stdout.decode("utf-8", "replace")
