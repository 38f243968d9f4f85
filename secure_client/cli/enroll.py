"""`secure-client enroll URL`: one pasted line, and the server is saved."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from secure_client.core.login import Mechanism
from secure_client.core.trust import Trust
from secure_client.enrolment import Enrolled, Wish, enrol
from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_client.profiles.profiles import Profiles, is_name
from secure_protocol.enrolment import CHARACTERS_MAX, Enrolment, EnrolmentFormatError
from secure_protocol.token import TokenFormatError

STDIN = "-"
MOST_CHARACTERS = CHARACTERS_MAX + 256
"""Read of stdin: the URL, and the words before it in the line that was to be pasted."""

_FILE = click.Path(path_type=Path)
_COMMAND = re.compile(r"(?:\S*secure-client\s+enroll\s+)?(['\"]?)(.*)\1")
"""People paste the whole line where the URL alone is asked for."""


@click.command(
    help=_("Save a server from the line that its administrator sent: check its CA, fetch a token, try it.")
    + "\n\n"
    + _(
        "The URL holds a secret. Other users of this machine can see arguments, and the shell's history keeps them. "
        "A line made with --once is worth nothing after this. To show it to nobody, leave the URL out and paste it "
        "when asked, or give it on stdin."
    ),
    options_metavar=_("[OPTIONS]"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("urls", nargs=-1, metavar=_("[URL or -]"))
@click.option("--name", metavar=_("PROFILE"), help=_("Of the profile.  [default: the server's name]"))
@click.option("--force", is_flag=True, help=_("Replace a profile of that name."))
@click.option("--no-keyring", is_flag=True, help=_("Keep the token in the profile, not in the system's keyring."))
@click.option(
    "--ca", type=_FILE, metavar=_("FILE"), help=_("CA certificates (PEM), not asked of the server; must match the URL.")
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
def enroll(
    *,
    urls: tuple[str, ...],
    name: str | None,
    force: bool,
    no_keyring: bool,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    mechanism: str,
) -> None:
    """Save a server; the texts of help are in the decorators, where they are translated."""
    if len(urls) > 1:  # not click's own error, which would repeat them
        raise SetupError(_("Give one URL, in single quotes; what was given is not repeated here."))
    enrolment = parse(urls[0] if urls and urls[0] != STDIN else _ask())
    wish = Wish(
        enrolment,
        name if name is not None else default_name(enrolment.host),
        replace=force,
        use_keyring=not no_keyring,
        trust=Trust(ca, certificate, key),
        mechanism=Mechanism(mechanism),
    )
    profiles = Profiles()
    _report(wish, enrol(wish, profiles, _say), profiles)


def parse(text: str) -> Enrolment:
    """Read what was pasted.

    Raises:
        SetupError: it is no enrolment URL; never repeats it.
    """
    match = _COMMAND.fullmatch(text.strip())
    try:
        return Enrolment.parse(match[2] if match else text)
    except (EnrolmentFormatError, TokenFormatError) as error:
        sentence = _("This cannot be used to enrol: {why}. Nothing was sent.")
        raise SetupError(sentence.format(why=_(str(error)))) from None


def default_name(host: str) -> str:
    """Return a profile's name for a host: its own, but for an IPv6 address, whose colons no name has."""
    name = host.replace(":", "-").strip("-")
    return name if is_name(name) else "server"


def _ask() -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return sys.stdin.readline(MOST_CHARACTERS)
    from getpass import getpass  # noqa: PLC0415 - needed only here

    try:
        return getpass(_("Enrolment URL (hidden):") + " ", sys.stderr)
    except EOFError:
        return ""


def _report(wish: Wish, enrolled: Enrolled, profiles: Profiles) -> None:
    profile, session = enrolled.profile, enrolled.session
    place = _("the system's keyring") if profile.keyring is not None else str(profiles.path)
    for sentence in (
        _("Enrolled at {endpoint} as {name} ({role}).").format(
            endpoint=wish.endpoint, name=session.user, role=session.role
        ),
        _("CA:      SHA-256 {pin}, as the line says; in {path}").format(pin=wish.enrolment.pin.hex(), path=profile.ca),
        _("Token:   in {place}").format(place=place),
        _("Profile: {name}, in {path}").format(name=wish.name, path=profiles.path),
        _("Connect with: secure-client {name}").format(name=wish.name),
    ):
        _say(sentence)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
