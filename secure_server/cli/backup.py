"""`secure-server backup`: a copy of all that a server needs to be what it was, made while it runs or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenRequestError
from secure_server.backup.making import DATABASE, make
from secure_server.cli import options
from secure_server.cli.failures import explains
from secure_server.files.owner import as_owner, check_copy
from secure_server.i18n import _


@click.command(
    help=_("Copy the tokens, the audit trail, the jobs, the certificates with their keys and the named configuration.")
    + "\n\n"
    + _("Works with the server up or down. Keep the copy as safe as the server: it holds the keys.")
    + "\n\n"
    + _("For example: secure-server backup /var/backups/secure-server/2026-11-26"),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("target", metavar=_("DIRECTORY"), type=click.Path(file_okay=False, path_type=Path))
@options.config
@options.data_dir
@options.certs_dir
@click.option("--force", is_flag=True, help=_("Also into a directory with files, which are moved into an old-… one."))
@explains
def backup(target: Path, data_dir: Path, directory: Path, *, force: bool) -> None:
    """Make a backup; the texts of help are in the decorators, where they are translated."""
    if not (data_dir / DATABASE).exists():
        raise TokenRequestError(Sentence("there are no tokens in {path}; check --data-dir", path=data_dir / DATABASE))
    check_copy(target, data_dir)
    if target.is_dir() and any(target.iterdir()) and not force:
        raise TokenRequestError(
            Sentence("{path} is not empty; name another directory, or add --force, which sets aside what is there",
                     path=target)
        )  # fmt: skip
    config = options.chosen_config()
    with reported(target), config.open("rb") if config is not None else nullcontext() as settings:
        copied = make(target, data_dir, directory, settings, as_owner)
    sentence = _(
        "Tokens: {tokens}; audit records: {records}; jobs: {jobs}; files of certificates and keys: {certificates}."
    )
    click.echo(
        sentence.format(
            tokens=copied.tokens, records=copied.records, jobs=copied.jobs, certificates=copied.certificates
        )
    )
    click.echo(_("The backup in {path} is whole; it holds keys, so keep it safe.").format(path=target))
    if copied.problems:
        sentence = _("But the audit trail is not intact; see: secure-server audit verify --data-dir {path}")
        click.echo(sentence.format(path=data_dir), err=True)
        sys.exit(1)


@contextmanager
def reported(target: Path) -> Iterator[None]:
    """Say what the system said, in a sentence."""
    try:
        yield
    except OSError as error:
        sentence = _("{path} cannot be used ({why}); check the directories, their owner and the space on the disk.")
        message = sentence.format(path=error.filename or target, why=error.strerror or error)
        raise click.ClickException(message) from None
