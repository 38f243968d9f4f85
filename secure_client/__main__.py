"""`python -m secure_client`, and the program `secure-client`."""

from __future__ import annotations

from typing import NoReturn

from secure_client.starting import importing


def main() -> NoReturn:
    """Run the program; always ends in SystemExit."""
    with importing():
        from secure_client.cli.main import main as program  # noqa: PLC0415 - what it imports takes a while
    program()


if __name__ == "__main__":
    main()
