"""`secure-server certs trust`: have this machine's browsers, or the system, trust the CA, and say how others do."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from secure_protocol.printable import printable
from secure_server.cli import options
from secure_server.cli.failures import explains
from secure_server.files.owner import as_owner, owner_of
from secure_server.i18n import N_, _, shown
from secure_server.pki.store import CA
from secure_server.trust import nss
from secure_server.trust.anchor import Anchor, anchors_of
from secure_server.trust.store import Store, TrustError
from secure_server.trust.system import system_store

FAILED = 1
"""Exit code: something could not be done."""


class _Step(NamedTuple):
    """What is to be done at one place."""

    store: Store
    anchor: Anchor
    wanted: bool


STEPS: tuple[tuple[str, str], ...] = (
    (
        "macOS",
        'security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db "{path}"',
    ),
    (
        "Windows",
        'certutil -addstore -user Root "{path}"',
    ),
    (
        "iOS, iPadOS",
        N_(
            "Send {path} to the device (AirDrop, or as a file) and open it. Install it: Settings, General, VPN & "
            "Device Management. Then trust it: Settings, General, About, Certificate Trust Settings. Without that "
            "second step Safari shows the page, and refuses its connection."
        ),
    ),
    (
        "Android",
        N_(
            "Copy {path} to the device. Install it: Settings, Security, Encryption & credentials, Install a "
            "certificate, CA certificate. Chrome goes by it; Firefox does once `Use third party CA certificates` is "
            "on, in its secret settings."
        ),
    ),
    (
        "Firefox",
        N_("Settings, Privacy & Security, View Certificates, Authorities, Import: {path}, to identify websites."),
    ),
)
"""The system, and what to do there; `{path}` is the CA's file. Commands are the same in each language."""


@click.command(
    help=_("Have the browsers of this user trust the CA: the databases of Chromium and of Firefox.")
    + "\n\n"
    + _(
        "Shows what it will do, and asks. A CA that may vouch for any name is refused. In the end it says what to do "
        "on other systems and on phones, with the fingerprint to compare there."
    )
    + "\n\n"
    + _("For example: secure-server certs trust; sudo secure-server certs trust --system"),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.certs_dir
@click.option(
    "--system", is_flag=True, help=_("The store of this system instead, for curl and the like (Debian, Fedora).")
)
@click.option("--remove", is_flag=True, help=_("Take it out again."))
@click.option("--yes", is_flag=True, help=_("Ask nothing."))
@explains
def trust(directory: Path, *, system: bool, remove: bool, yes: bool) -> None:
    """Have the CA trusted, or no more; the texts of help are in the decorators, where they are translated."""
    with as_owner(directory):
        anchors = anchors_of(directory)
    for anchor in anchors:
        _introduce(anchor)
    stores = _of_system() if system else _of_browsers()
    done = not stores or _carry_out(_looked_at(stores, anchors, remove=remove), remove=remove, yes=yes)
    if not remove:
        _tell_steps(directory)
    if not done or (not stores and sys.platform != "win32"):
        raise SystemExit(FAILED)


def _introduce(anchor: Anchor) -> None:
    until = f"{anchor.certificate.not_valid_after_utc:%Y-%m-%d}"
    click.echo(_("{title}, until {until}").format(title=printable(anchor.title), until=until))
    click.echo("  ".join(("SHA-256", anchor.fingerprint)))
    click.echo(_("It may vouch for these alone: {names}.").format(names=printable(anchor.names)))


def _of_browsers() -> Sequence[Store]:
    if sys.platform == "win32":
        return ()
    home = Path.home()
    owner = owner_of(home)
    if owner is not None and owner.uid != os.geteuid():
        sentence = _("The browsers in {home} are those of {owner}; run this as {owner}, without sudo.")
        raise click.UsageError(sentence.format(home=home, owner=owner.name))
    if nss.installed():
        return nss.databases(home)
    sentence = _(
        "The databases of browsers are changed by certutil, which is not installed: sudo apt-get install "
        "libnss3-tools (Debian, Ubuntu), sudo dnf install nss-tools (Fedora), brew install nss (macOS); then run this "
        "again."
    )
    click.echo(sentence, err=True)
    return ()


def _of_system() -> Sequence[Store]:
    found = system_store()
    if found is None:
        sentence = _("This system has neither Debian's store of CAs nor Fedora's; see below for others.")
        click.echo(sentence, err=True)
        return ()
    return (found,)


def _looked_at(stores: Sequence[Store], anchors: Sequence[Anchor], *, remove: bool) -> list[_Step]:
    """Say what each store is to get or to lose, or has or lacks already."""
    steps: list[_Step] = []
    for store in stores:
        for anchor in anchors:
            try:
                wanted = store.knows(anchor) if remove else not store.holds(anchor)
            except TrustError as error:
                _complain(store, error)
                continue
            steps.append(_Step(store, anchor, wanted))
    width = max((len(step.store.place) for step in steps), default=0)
    for step in steps:
        if remove:
            what = _("trusts it; is to be changed") if step.wanted else _("does not trust it")
        else:
            what = _("is to trust it") if step.wanted else _("trusts it already")
        click.echo(f"{step.store.place:<{width}}  {what}")
    return steps


def _carry_out(steps: Sequence[_Step], *, remove: bool, yes: bool) -> bool:
    """Do what is wanted, if it is; whether nothing failed."""
    wanted = [step for step in steps if step.wanted]
    if not wanted:
        return bool(steps)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(_("There is nobody to ask; add --yes to have it done."))
        click.confirm(_("Go on?"), abort=True, err=True)
    width = max(len(step.store.place) for step in wanted)
    failed = False
    for step in wanted:
        try:
            (step.store.remove if remove else step.store.add)(step.anchor)
        except TrustError as error:
            _complain(step.store, error)
            failed = True
        else:
            what = _("trusts it no more") if remove else _("trusts it now")
            click.echo(f"{step.store.place:<{width}}  {what}")
    if not failed:
        click.echo(_("Programs that are open, such as browsers, know it once they are started anew."), err=True)
    return not failed and len(steps) > 0


def _complain(store: Store, error: TrustError) -> None:
    said = f"{store.place}: {printable(shown(error))}"
    click.echo(_("Error: {message}").format(message=said), err=True)


def _tell_steps(directory: Path) -> None:
    """Say what a person does on other systems."""
    path = (directory / CA).absolute()
    click.echo("\n" + _("Elsewhere, by hand; compare the fingerprint before you trust it:"))
    for system, step in STEPS:
        told = _(step).format(path=path)
        click.echo(f"  {system}: {told}")
