"""`secure-client profile …`: saved servers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from secure_client.core.endpoint import Endpoint
from secure_client.core.login import Mechanism, parse_token
from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_client.profiles.profiles import Profile, Profiles
from secure_client.profiles.target import ask_token
from secure_protocol.text_replies import cell

_FILE = click.Path(path_type=Path)


@click.group(
    help=_("Save servers under a name, to be used as `secure-client NAME`."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def profile() -> None:
    """Save servers; the texts of help are in the decorators, where they are translated."""


@profile.command(options_metavar=_("[OPTIONS]"), help=_("Save a server under a name."))
@click.argument("name", metavar=_("NAME"))
@click.argument("endpoint", metavar=_("HOST:PORT"))
@click.option("--ca", type=_FILE, metavar=_("FILE"), help=_("CA certificates to believe (PEM)."))
@click.option(
    "--token-file", type=_FILE, metavar=_("FILE"), help=_("File that holds the token; it is read at each connecting.")
)
@click.option("--force", is_flag=True, help=_("Replace a profile of that name."))
@click.option(
    "--save-token", is_flag=True, help=_("Ask for the token, or read it from stdin, and keep it in the profile.")
)
@click.option("--cert", "certificate", type=_FILE, metavar=_("FILE"), help=_("Client certificate (PEM)."))
@click.option("--key", type=_FILE, metavar=_("FILE"), help=_("Its private key (PEM)."))
@click.option(
    "--mechanism",
    type=click.Choice([item.value for item in Mechanism]),
    default=Mechanism.SCRAM.value,
    metavar=_("MECHANISM"),
    help=_("Prove the token without sending it (scram, the default), or send it as it is (bearer)."),
)
def add(
    name: str,
    endpoint: str,
    ca: Path | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    mechanism: str,
    *,
    force: bool,
    save_token: bool,
) -> None:
    """Save a server under a name."""
    address, profiles = Endpoint.parse(endpoint), Profiles()
    previous = profiles.load().get(name)
    if previous is not None and not force:
        sentence = _("There is a profile `{name}` already: choose another name, or replace it with --force.")
        raise SetupError(sentence.format(name=name))
    if save_token and token_file is not None:
        raise click.UsageError(_("Give --token-file or --save-token, not both."))
    text = None
    if save_token:
        typed = ask_token(address) if sys.stdin.isatty() else sys.stdin.readline(4096)
        text = parse_token(typed).reveal()
    saved = Profile(
        endpoint=str(address),
        ca=_absolute(ca),
        token=text,
        token_file=_absolute(token_file),
        certificate=_absolute(certificate),
        key=_absolute(key),
        mechanism=Mechanism(mechanism),
    )
    profiles.add(name, saved)
    _forget(previous)
    print(_("Saved. Connect with: secure-client {name}").format(name=name), file=sys.stderr)


@profile.command(
    "list", options_metavar=_("[OPTIONS]"), help=_("Print all profiles: name, server, CA file, where the token is.")
)
def list_() -> None:
    """Print all profiles: name, server, CA file, where the token is."""
    rows = [(_("NAME"), _("SERVER"), _("CA"), _("TOKEN"))]
    for name, saved in Profiles().load().items():
        # Printable: the file may have come with an archive of somebody else's.
        rows.append((cell(name), cell(str(saved.endpoint)), cell(str(saved.ca or "-")), cell(str(saved.token_source))))
    if len(rows) == 1:
        print(_("No profiles. Add one: secure-client profile add NAME HOST:PORT --ca FILE"), file=sys.stderr)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


@profile.command(options_metavar=_("[OPTIONS]"), help=_("Forget a profile; files that it names stay."))
@click.argument("name", metavar=_("NAME"))
def remove(name: str) -> None:
    """Forget a profile; files that it names stay."""
    profiles = Profiles()
    saved = profiles.load().get(name)
    profiles.remove(name)
    _forget(saved)
    print(_("Removed {name}.").format(name=name), file=sys.stderr)


def _forget(replaced: Profile | None) -> None:
    """Take the token of a profile that is no longer out of the keyring."""
    if replaced is not None and replaced.keyring is not None:
        from secure_client.profiles import keyrings  # noqa: PLC0415 - few profiles have their token there

        keyrings.forget(replaced.keyring)


def _absolute(path: Path | None) -> str | None:
    """Return a path that is good from every directory."""
    # Not Path.resolve: a link may be there so that what it points to can change.
    return os.path.abspath(path.expanduser()) if path is not None else None  # noqa: PTH100
