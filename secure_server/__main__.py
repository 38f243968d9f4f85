"""`python -m secure_server`, and the program `secure-server`: what must come before anything else, then the program."""

from __future__ import annotations

import sys
from typing import NoReturn

from secure_client import streams
from secure_client.starting import importing
from secure_server import signals


def main() -> NoReturn:
    """Run the program; always ends in SystemExit."""
    streams.run(_program)


def _program() -> None:
    if sys.argv[1:2] == ["run"]:  # others end by them, as programs do
        signals.catch()
    with importing():
        from secure_server.cli import main as program  # noqa: PLC0415 - what it imports takes a while
    program()


if __name__ == "__main__":
    main()
