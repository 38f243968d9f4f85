"""Options that several commands have, each written once: where the server is that a command is for.

What the command line says goes before what the environment says, and that before the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from secure_server.files.owner import DirectoryError, check, owner_of
from secure_server.i18n import _, shown

if TYPE_CHECKING:
    from secure_server.config.settings import Config

P = ParamSpec("P")
R = TypeVar("R")

CONFIG_VARIABLE = "SECURE_SERVER_CONFIG"
DATA_VARIABLE = "SECURE_SERVER_DATA_DIR"
CERTS_VARIABLE = "SECURE_SERVER_CERTS_DIR"
DATA = Path("data")
CERTS = Path("certs")
"""Where they are unless somebody says otherwise, as in the configuration."""

_CONFIG = f"{__name__}.config"
_UNNAMED = f"{__name__}.unnamed"


def chosen_config() -> Path | None:
    """Return the configuration of the command that is called; None where none was named."""
    path = click.get_current_context().meta.get(_CONFIG)
    return path if isinstance(path, Path) else None


def unnamed() -> bool:
    """Whether nothing said where the data directory of the command that is called is: it is `DATA` here."""
    return _UNNAMED in click.get_current_context().meta


def certs_directory(given: Path | None) -> Path:
    """Return where the certificates are, of a command whose own option for that said so much."""
    from_environment = Path(text) if (text := os.environ.get(CERTS_VARIABLE)) else None
    settings = _settings()
    directory = given or from_environment or (Path(settings.certs_dir) if settings is not None else CERTS)
    try:
        owner_of(directory)
    except DirectoryError as error:
        raise click.UsageError(shown(error)) from None
    return directory


def _settings() -> Config | None:
    path = chosen_config()
    if path is None:
        return None
    from secure_server.config.file import load  # noqa: PLC0415 - most calls name none
    from secure_server.config.reading import ConfigError  # noqa: PLC0415 - most calls name none

    try:
        return load(path)
    except ConfigError as error:
        raise click.UsageError(shown(error)) from None


def _note_config(context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
    context.meta[_CONFIG] = given


def _choose_data(context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path:
    settings = _settings() if given is None else None
    if given is None and settings is None:
        context.meta[_UNNAMED] = True
    directory = given or (Path(settings.data_dir) if settings is not None else DATA)
    try:
        check(directory)
    except DirectoryError as error:
        raise click.UsageError(shown(error)) from None
    return directory


def _choose_certs(_context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path:
    return certs_directory(given)


config = click.option(
    "--config",
    envvar=CONFIG_VARIABLE,
    is_eager=True,  # before the directories that it may name
    expose_value=False,
    callback=_note_config,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar=_("FILE"),
    help=_("The server's TOML file, for what is not said here.  [default: SECURE_SERVER_CONFIG, none]"),
)
data_dir = click.option(
    "--data-dir",
    envvar=DATA_VARIABLE,
    callback=_choose_data,
    type=click.Path(file_okay=False, path_type=Path),
    metavar=_("DIRECTORY"),
    help=_("Where the server keeps its data.  [default: SECURE_SERVER_DATA_DIR, the configuration's, data]"),
)
certs_dir = click.option(
    "--dir",
    "--certs-dir",
    "directory",
    callback=_choose_certs,
    type=click.Path(file_okay=False, path_type=Path),
    metavar=_("DIRECTORY"),
    help=_("Where the certificates are kept.  [default: SECURE_SERVER_CERTS_DIR, the configuration's, certs]"),
)
as_json = click.option("--json", "as_json", is_flag=True, help=_("Print JSON."))


def enrolling(command: Callable[P, R]) -> Callable[P, R]:
    """Add the options that make what `secure_server.cli.enrolment` prints, which only they import."""
    for option in reversed(
        (
            click.option(
                "--enroll",
                is_flag=True,
                help=_("Print one line to paste at the client, which saves the server and the token there."),
            ),
            click.option(
                "--web",
                is_flag=True,
                help=_("Print a link to the page, good for one login, which is exchanged there for a token."),
            ),
            click.option(
                "--within",
                metavar="24h",
                help=_("With --enroll --once or --web: for how long it is good.  [default: 24h, 1h with --web]"),
            ),
            click.option(
                "--host",
                metavar=_("NAME_OR_IP"),
                help=_(
                    "With --enroll or --web: where the server is found.  [default: web.url for the page, where it "
                    "listens, else this machine]"
                ),
            ),
            click.option(
                "--port",
                type=click.IntRange(1, 65535),
                metavar=_("PORT"),
                help=_("With --enroll or --web.  [default: the running server's, the configuration's, 5000]"),
            ),
            click.option(
                "--certs-dir",
                type=click.Path(file_okay=False, path_type=Path),
                metavar=_("DIRECTORY"),
                help=_("With --enroll or --web: where the certificates are.  [default: the configuration's, certs]"),
            ),
        )
    ):
        command = option(command)
    return command
