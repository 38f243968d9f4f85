"""`secure-server certs revoke`, `restore` and `revoked`: client certificates, with the server up or down."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenNotFoundError
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.cli import options
from secure_server.cli.beside.changes import DATABASE, opened
from secure_server.cli.beside.recorder import Recorder
from secure_server.cli.failures import explains
from secure_server.files.owner import as_owner
from secure_server.i18n import _
from secure_server.pki.withdraw import withdraw_client

_name = click.argument("name", metavar=_("NAME"))


@contextmanager
def _existing(data_dir: Path, withdraw: Callable[[str], Path | None] = lambda _: None) -> Iterator[RevokedCertificates]:
    """The revocations of a server. A database made here, beside the right one, would revoke nothing."""
    path = data_dir / DATABASE
    if not path.exists():
        raise TokenNotFoundError(
            Sentence("there is no {path}, so no server has run there; check --data-dir", path=path)
        )
    with opened(data_dir) as storage:
        yield RevokedCertificates(storage, withdraw=withdraw)


@click.command(
    help=_("Refuse the client certificates that were made for NAME until now. Live sessions end within a second.")
    + "\n\n"
    + _(
        "NAME is the certificate's common name. Its files in the certificates' directory are moved into an old-… "
        "directory. What is made for the name afterwards is good: secure-server certs ensure --client NAME"
    ),
    options_metavar=_("[OPTIONS]"),
)
@_name
@options.config
@options.certs_dir
@options.data_dir
@explains
def revoke(name: str, directory: Path, data_dir: Path) -> None:
    """Refuse a name's client certificates; the texts of help are in the decorators, where they are translated."""
    with _existing(data_dir, functools.partial(_withdraw, directory)) as certificates:
        revocation = certificates.revoke(name)
    Recorder(data_dir).certificate("revoked", name)
    click.echo(_("revoked {name}, made until {moment}").format(name=printable(name), moment=_local(revocation.since)))
    if revocation.aside is None:
        sentence = _(
            "There is no client-{name}.pem in {directory}, so nobody checked the name: it is the certificate's common "
            "name, in upper and lower case as it stands there."
        )
        click.echo(sentence.format(name=printable(name), directory=directory), err=True)
    else:
        sentence = _(
            "Its files are in {aside}/. For another certificate: secure-server certs ensure --dir {directory} "
            "--client {name}"
        )
        click.echo(sentence.format(aside=revocation.aside, directory=directory, name=name), err=True)
    _await_newer(revocation.since)


@click.command(
    help=_("Take the revocation of NAME back: its client certificates are good again."),
    options_metavar=_("[OPTIONS]"),
)
@_name
@options.config
@options.data_dir
@explains
def restore(name: str, data_dir: Path) -> None:
    """Take a revocation back."""
    with _existing(data_dir) as certificates:
        certificates.restore(name)
    Recorder(data_dir).certificate("restored", name)
    click.echo(_("restored {name}").format(name=printable(name)))


@click.command(
    help=_("List the names whose client certificates are refused, and until when those were made."),
    options_metavar=_("[OPTIONS]"),
)
@options.as_json
@options.config
@options.data_dir
@explains
def revoked(data_dir: Path, *, as_json: bool) -> None:
    """List the revoked names."""
    with _existing(data_dir) as certificates:
        found = certificates.list()
    if as_json:
        click.echo(json.dumps([{"name": name, "made_until": _iso(since)} for name, since in found.items()], indent=2))
        return
    if not found:
        click.echo(_("No client certificates are revoked."), err=True)
    width = max(map(len, found), default=0)
    for name, since in found.items():
        click.echo(f"{printable(name):<{width}}  {_local(since)}")


def _withdraw(directory: Path, name: str) -> Path | None:
    with as_owner(directory):
        return withdraw_client(directory, name)


def _await_newer(since: float) -> None:
    """Certificates count whole seconds: let this one pass, so that whatever is made after us is seen to be newer."""
    time.sleep(max(0.0, min(1.0, int(since) + 1 - time.time())))


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def _local(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().replace(tzinfo=None).isoformat(" ", timespec="seconds")
