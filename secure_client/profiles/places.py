"""Where the program keeps its files. SECURE_CLIENT_HOME puts all of them into one directory."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "SECURE_CLIENT_HOME"
_APPLICATION = "secure-client"


def config_directory() -> Path:
    """Return where the profiles are: XDG's place, or the platform's own."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home)
    import platformdirs  # noqa: PLC0415 - of no use to most one-shot commands of scripts, which name their home

    return Path(platformdirs.user_config_dir(_APPLICATION, appauthor=False))


def state_directory() -> Path:
    """Return where the history is."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home)
    import platformdirs  # noqa: PLC0415 - as above

    return Path(platformdirs.user_state_dir(_APPLICATION, appauthor=False))


def make_private_directory(directory: Path) -> None:
    """Make a directory that is the user's alone: tokens and a history lie there.

    One that is there already is left as it is: SECURE_CLIENT_HOME may name a directory with other uses.

    Raises:
        OSError: it cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
