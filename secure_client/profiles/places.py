"""Where the program keeps its files. SECURE_CLIENT_HOME puts all of them into one directory."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from itertools import takewhile
from pathlib import Path

from secure_client.i18n import _

HOME_VARIABLE = "SECURE_CLIENT_HOME"
_APPLICATION = "secure-client"


def config_directory() -> Path:
    """Return where the profiles are: XDG's place, or the platform's own."""
    if found := _named("XDG_CONFIG_HOME", ".config"):
        return found
    import platformdirs  # noqa: PLC0415 - brings much

    return Path(platformdirs.user_config_dir(_APPLICATION, appauthor=False))


def state_directory() -> Path:
    """Return where the history is."""
    if found := _named("XDG_STATE_HOME", ".local/state"):
        return found
    import platformdirs  # noqa: PLC0415 - as above

    return Path(platformdirs.user_state_dir(_APPLICATION, appauthor=False))


def _named(variable: str, usual: str) -> Path | None:
    """Return the directory where that takes no more than a look; None where the platform's own is to be asked for.

    On Linux it is what the XDG Base Directory Specification says. `platformdirs` says the same, and takes longer to
    import than Python to start.

    Args:
        variable: of the environment, names an absolute path.
        usual: where it is otherwise, in the user's home.
    """
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home)
    if sys.platform != "linux" or "ANDROID_ROOT" in os.environ:
        return None
    named = Path(os.environ.get(variable, ""))
    own = os.path.expanduser(f"~/{usual}")  # noqa: PTH111 - Path's raises where there is no home
    return (named if named.is_absolute() else Path(own)) / _APPLICATION


def make_private_directory(directory: Path) -> None:
    """Make a directory that is the user's alone: tokens and a history lie there.

    One that is there already is left as it is: SECURE_CLIENT_HOME may name a directory with other uses.

    Raises:
        OSError: it cannot be made, or as of `check_private`.
    """
    for parent in reversed(list(takewhile(lambda each: not each.exists(), directory.parents))):
        parent.mkdir(
            mode=0o755, exist_ok=True
        )  # whatever the umask: who may write there could put another in its place
    directory.mkdir(mode=0o700, exist_ok=True)
    check_private(directory)


def write_private(path: Path, data: bytes) -> None:
    """Put a file there that is the user's alone, in place of any of that name; whole and on disk, or not at all.

    Raises:
        OSError: it cannot be written, or as of `make_private_directory`.
    """
    make_private_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def check_private(directory: Path) -> None:
    """Refuse a directory in which others may put files: a server to trust, or a link to what would be written then.

    Raises:
        OSError: others may write there, or it belongs to neither this user nor root; says what mends it.
    """
    if not hasattr(os, "geteuid"):
        return
    try:
        found = directory.stat()
    except FileNotFoundError:
        return
    if found.st_uid not in (os.geteuid(), 0):
        sentence = _("{path} is another user's; name a directory of your own in SECURE_CLIENT_HOME")
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        sentence = _("other users may write in {path}; run: chmod go-w {path}")
    else:
        return
    raise PermissionError(errno.EPERM, sentence.format(path=directory))
