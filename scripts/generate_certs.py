#!/usr/bin/env python3
"""Make or renew the local CA and certificates: `secure-server certs ensure` from a checkout, installed or not."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("click", "cryptography", "msgspec", "rich")
MARK = "SECURE_SERVER_IN_VENV"
"""Set for the second start, so that an incomplete environment ends in a sentence and not in a circle."""


def use_environment() -> None:
    """Start again with the checkout's environment when this Python lacks the packages.

    Raises:
        SystemExit: there is no environment, or it lacks them too.
    """
    if all(find_spec(name) for name in NEEDED):
        return
    folder = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    python = ROOT / ".venv" / folder
    if python.exists() and MARK not in os.environ:
        os.environ[MARK] = "1"
        os.execv(python, [str(python), __file__, *sys.argv[1:]])  # noqa: S606 - the checkout's own Python, an argv list
    print(
        "The packages this needs are not installed; run `python3 scripts/quickstart.py`, which makes the environment.",
        file=sys.stderr,
    )
    raise SystemExit(2)


def main() -> None:
    """Run `secure-server certs ensure` with this program's arguments."""
    use_environment()
    sys.path.insert(0, str(ROOT))
    from secure_client import streams  # noqa: PLC0415 - as below
    from secure_client.i18n import translate_click  # noqa: PLC0415 - as below
    from secure_server.cli.certs import ensure  # noqa: PLC0415 - needs the packages that were looked for above

    translate_click()
    streams.run(lambda: ensure.main(prog_name="generate_certs.py"))


if __name__ == "__main__":
    main()
