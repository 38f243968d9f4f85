"""Programs that change the data directory write that to the audit trail; where they cannot, a person is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from secure_server.audit.details import token_detail
from secure_server.audit.offline import OfflineTrail
from secure_server.audit.record import Value
from secure_server.auth.token_record import TokenRecord
from secure_server.files.owner import as_owner
from secure_server.i18n import _, shown


class Recorder:
    """Records a change that was made, on disk before it is told. Nothing it does undoes the change.

    Args:
        data_dir: the data directory.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._trail = OfflineTrail(data_dir, lambda sentence: click.echo(shown(sentence), err=True))

    def tokens(self, change: str, tokens: Sequence[TokenRecord]) -> None:
        """Tokens were `created`, `rotated`, `revoked`, …."""
        self._record("token", change, [token_detail(token) for token in tokens])

    def certificate(self, change: str, name: str) -> None:
        """The client certificates of a name were `revoked` or `restored`."""
        self._record("certificate", change, [{"name": name}])

    def _record(self, event: str, outcome: str, details: Sequence[Mapping[str, Value]]) -> None:
        try:
            with as_owner(self._data_dir):
                self._trail.record(event, outcome, details)
        except OSError as error:
            sentence = _("The change was made, but the audit trail in {path} could not be written: {why}.")
            click.echo(sentence.format(path=self._data_dir, why=shown(error.strerror)), err=True)
