"""`secure-client profile …`: saved servers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from secure_client.core.endpoint import Endpoint, TransportChoice
from secure_client.core.login import Mechanism, parse_token
from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_client.profiles.profiles import Profile, Profiles, no_profile
from secure_client.profiles.target import ask_token, saved_login
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
@click.option(
    "--transport",
    type=click.Choice([item.value for item in TransportChoice]),
    metavar=_("TRANSPORT"),
    help=_("Connect over TCP (tls, the default), over UDP (quic), or by whichever is there first (auto)."),
)
def add(
    name: str,
    endpoint: str,
    ca: Path | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    mechanism: str,
    transport: str | None,
    *,
    force: bool,
    save_token: bool,
) -> None:
    """Save a server under a name."""
    address, chosen = Endpoint.parse(endpoint).split(TransportChoice(transport) if transport is not None else None)
    profiles = Profiles()
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
        transport=chosen or TransportChoice.TLS,
    )
    profiles.add(name, saved)
    _forget(previous)
    print(_("Saved. Connect with: secure-client {name}").format(name=name), file=sys.stderr)


@profile.command(
    "list", options_metavar=_("[OPTIONS]"), help=_("Print all profiles: name, server, CA file, where the token is.")
)
@click.option("--json", "as_json", is_flag=True, help=_("As JSON, for programs."))
def list_(*, as_json: bool) -> None:
    """Print all profiles: name, server, CA file, where the token is; the default has a star."""
    saved = Profiles().load()
    if as_json:
        print(json.dumps([_told(name, one) for name, one in saved.items()]))
        return
    if not saved:
        print(_("No profiles. Add one: secure-client profile add NAME HOST:PORT --ca FILE"), file=sys.stderr)
        return
    rows = [(_("NAME"), _("SERVER"), _("CA"), _("TOKEN"))]
    for name, one in saved.items():
        # Printable: the file may have come with an archive of somebody else's.
        star = " *" if one.default else ""
        way = "" if one.transport is TransportChoice.TLS else f" ({one.transport})"
        rows.append((cell(name) + star, cell(one.endpoint) + way, cell(one.ca or "-"), cell(one.token_source)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


@profile.command(options_metavar=_("[OPTIONS]"), help=_("Print all that a profile says, but for the token."))
@click.argument("name", metavar=_("NAME"))
@click.option("--json", "as_json", is_flag=True, help=_("As JSON, for programs."))
def show(name: str, *, as_json: bool) -> None:
    """Print all that a profile says, but for the token."""
    told = _told(name, _found(name))
    if as_json:
        print(json.dumps(told))
        return
    said = {key: value for key, value in told.items() if value not in (None, False)}
    width = max(map(len, said))
    for key, value in said.items():
        shown = _("yes") if value is True else cell(str(value))
        print(f"{key.ljust(width)}  {shown}")


@profile.command(options_metavar=_("[OPTIONS]"), help=_("Log in with a profile, and say as whom; nothing is run."))
@click.argument("name", metavar=_("NAME"))
@click.option("--json", "as_json", is_flag=True, help=_("As JSON, for programs."))
def test(name: str, *, as_json: bool) -> None:
    """Log in with a profile, and say as whom; nothing is run."""
    from secure_client.client import Client  # noqa: PLC0415 - the other commands connect to nothing

    with Client.of(saved_login(_found(name)), reconnect=False) as client:
        session = client.status.session
    user, role, server = (session.user, session.role, session.server) if session is not None else ("", "", "")
    if as_json:
        print(json.dumps({"name": name, "user": user, "role": role, "server": server}))
    else:
        sentence = _("{name} works: {user} ({role}) at {server}.")
        print(sentence.format(name=name, user=user, role=role, server=server))


@profile.command(
    options_metavar=_("[OPTIONS]"), help=_("Choose the profile that is meant where none is named; alone: print it.")
)
@click.argument("name", metavar=_("[NAME]"), required=False)
@click.option("--none", "no_default", is_flag=True, help=_("None from now on."))
def default(name: str | None, *, no_default: bool) -> None:
    """Choose the profile that is meant where none is named; alone: print it."""
    profiles = Profiles()
    if name is not None and no_default:
        raise click.UsageError(_("Give a name or --none, not both."))
    if name is not None or no_default:
        profiles.set_default(name)
        return
    chosen = [each for each, one in profiles.load().items() if one.default]
    if not chosen:
        raise SetupError(_("No profile is the default: choose one with secure-client profile default NAME."))
    print(chosen[0])


@profile.command(options_metavar=_("[OPTIONS]"), help=_("Forget a profile; files that it names stay."))
@click.argument("name", metavar=_("NAME"))
def remove(name: str) -> None:
    """Forget a profile; files that it names stay."""
    profiles = Profiles()
    saved = profiles.load().get(name)
    profiles.remove(name)
    _forget(saved)
    print(_("Removed {name}.").format(name=name), file=sys.stderr)


def _found(name: str) -> Profile:
    saved = Profiles().load()
    if name not in saved:
        raise no_profile(name)
    return saved[name]


def _told(name: str, one: Profile) -> dict[str, str | bool | None]:
    """Return what may be told of a profile: all but the token."""
    hidden = {key: value for key, value in one.fields().items() if key not in ("token", "enrolment")}
    return {"name": name, **hidden, "token": one.token_source}


def _forget(replaced: Profile | None) -> None:
    """Take the token of a profile that is no longer out of the keyring."""
    if replaced is not None and replaced.keyring is not None:
        from secure_client.profiles import keyrings  # noqa: PLC0415 - few profiles have their token there

        keyrings.forget(replaced.keyring)


def _absolute(path: Path | None) -> str | None:
    """Return a path that is good from every directory."""
    # Not Path.resolve: a link may be there so that what it points to can change.
    return os.path.abspath(path.expanduser()) if path is not None else None  # noqa: PTH100
