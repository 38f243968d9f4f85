"""`secure-client` with all its options, and `secure-client profile …` and `enroll …` for saved servers.

Those two words are looked at before click is, instead of making a group of the whole program: a group would take
every target for the name of a subcommand.
"""

from __future__ import annotations

from pathlib import Path

import click

from secure_client.answers.formats import Format
from secure_client.cli.connecting import INTERRUPTED, connect
from secure_client.core.call import ANSWER_TIMEOUT
from secure_client.core.endpoint import TransportChoice
from secure_client.core.login import Mechanism
from secure_client.i18n import _, translate_click
from secure_client.profiles.target import Options
from secure_client.terminal.manner import Manner
from secure_protocol.token import redact

_EPILOG = "\n\n".join(
    (
        _("Saved servers: secure-client profile --help, secure-client enroll --help"),
        _('Completion: eval "$(secure-client completion bash)"; zsh and fish: secure-client completion --help'),
        _("Token: --token-file, else SECURE_CLIENT_TOKEN, else the profile's, else none with --cert, else asked for"),
        _("Exit codes: 0 fine, 1 a command failed, 2 usage, 3 no connection, 4 not authenticated, 130 Ctrl-C"),
    )
)

_FILE = click.Path(path_type=Path)


def understand(words: list[str]) -> int:
    """Do what a command line says that needs click to be understood; return the exit code.

    Raises:
        ClientError: as of what it does.
    """
    translate_click()
    try:
        if words[:1] == ["profile"]:
            from secure_client.cli.profile import profile  # noqa: PLC0415 - most calls do not need it

            status = profile.main(words[1:], prog_name="secure-client profile", standalone_mode=False)
        elif words[:1] == ["enroll"]:
            from secure_client.cli.enroll import enroll  # noqa: PLC0415 - as above

            status = enroll.main(words[1:], prog_name="secure-client enroll", standalone_mode=False)
        elif words[:1] == ["completion"]:
            from secure_client.cli.completion import completion  # noqa: PLC0415 - as above

            status = completion.main(words[1:], prog_name="secure-client completion", standalone_mode=False)
        else:
            status = connecting.main(words, prog_name="secure-client", standalone_mode=False)
    except click.ClickException as error:
        error.message = redact(error.message)  # type: ignore[misc] # final, and all that click says comes from it
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's call
    if wanted:
        import importlib.metadata  # noqa: PLC0415 - slow, and needed only here

        click.echo(importlib.metadata.version("secure-command-server"))
        context.exit()


@click.command(
    help=_("Run commands on a server, over TLS.")
    + "\n\n"
    + _("Interactive on a terminal; otherwise commands are read from stdin, one a line."),
    options_metavar=_("[OPTIONS]"),
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("target", required=False, metavar=_("[PROFILE or HOST:PORT]"))
@click.option("-p", "--profile", metavar=_("PROFILE"), help=_("Use this profile; never taken for an address."))
@click.option(
    "--ca",
    type=_FILE,
    metavar=_("FILE"),
    help=_("CA certificates to believe (PEM). [the profile's, certs/ca.pem, the system's]"),
)
@click.option("--token-file", type=_FILE, metavar=_("FILE"), help=_("File that holds the token."))
@click.option(
    "--cert",
    "certificate",
    type=_FILE,
    metavar=_("FILE"),
    help=_("Client certificate (PEM), where the server asks for one; it may stand in for a token."),
)
@click.option("--key", type=_FILE, metavar=_("FILE"), help=_("Its private key (PEM)."))
@click.option(
    "--mechanism",
    type=click.Choice([item.value for item in Mechanism]),
    metavar=_("MECHANISM"),
    help=_("Prove the token without sending it (scram), or send it as it is (bearer). [the profile's, scram]"),
)
@click.option(
    "--transport",
    type=click.Choice([item.value for item in TransportChoice]),
    metavar=_("TRANSPORT"),
    help=_("Connect over TCP (tls), over UDP (quic), or by whichever is there first (auto). [the profile's, tls]"),
)
@click.option("-c", "commands", multiple=True, metavar=_("COMMAND"), help=_("Run this and end; may be repeated."))
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help=_("Print one JSON value per command, and one per part of a streamed answer."),
)
@click.option("--csv", "as_csv", is_flag=True, help=_("Print tables as CSV, with a line that names the columns."))
@click.option("--raw", "as_raw", is_flag=True, help=_("Print answers as they come: nothing is cut or escaped."))
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=ANSWER_TIMEOUT,
    metavar=_("SECONDS"),
    help=_("Give a command up after so long without a sign of it. [60]"),
)
@click.option("--stop-on-error", is_flag=True, help=_("Run no further command after one that failed."))
@click.option("-q", "--quiet", is_flag=True, help=_("Nothing but errors on stderr."))
@click.option("--yes", is_flag=True, help=_("Say yes to what commands ask before they are sent."))
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help=_("Print the version.")
)
def connecting(
    target: str | None,
    profile: str | None,
    ca: Path | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    mechanism: str | None,
    transport: str | None,
    commands: tuple[str, ...],
    *,
    as_json: bool,
    as_csv: bool,
    as_raw: bool,
    timeout: float,
    stop_on_error: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Run commands on a server; the texts of help are in the decorators, where they are translated."""
    if target is not None and profile is not None:
        raise click.UsageError(_("Give -p PROFILE or a server, not both."))
    if as_json + as_csv + as_raw > 1:
        raise click.UsageError(_("Give one of --json, --csv and --raw."))
    form = Format.JSON if as_json else Format.CSV if as_csv else Format.RAW if as_raw else Format.TEXT
    shown = Mechanism(mechanism) if mechanism is not None else None
    chosen = TransportChoice(transport) if transport is not None else None
    options = Options(target, ca, token_file, certificate, key, shown, profile, chosen)
    return connect(options, commands, Manner(form, yes, timeout, stop_on_error, quiet))
