"""Changing the token database beside a running server, which knows of the change before the program ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from secure_server.admin import ADMIN_SOCKET
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.files.owner import as_owner
from secure_server.i18n import _

DATABASE = "tokens.db"
"""The file in the data directory."""


@contextmanager
def opened(data_dir: Path) -> Iterator[SQLiteTokenStorage]:
    """The token database, as its directory's owner. A running server has taken changes up on leaving the `with`.

    So a token that a program prints is good, and one that it revoked is not, at once. Where nobody confirms that, the
    change stands all the same, and a person is told.

    Raises:
        StorageError: it cannot be used.
    """
    with as_owner(data_dir), SQLiteTokenStorage(data_dir / DATABASE) as storage:
        before = storage.change_stamp()
        yield storage
        after = storage.change_stamp()
    if after != before:
        _await_server(data_dir, after.generation)


def _await_server(data_dir: Path, generation: int) -> None:
    socket = data_dir / ADMIN_SOCKET
    if not socket.exists():
        return  # no server runs there
    from secure_server.admin.live import taken_up  # noqa: PLC0415 - where no server runs, nobody need wait for it

    if not taken_up(data_dir, generation):
        sentence = _(
            "The change was made, but nobody confirmed on {socket} that the server knows of it; a server that runs "
            "there takes it up by itself, usually within a second."
        )
        click.echo(sentence.format(socket=socket), err=True)
