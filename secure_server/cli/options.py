"""Options that several commands have, each written once."""

from __future__ import annotations

from pathlib import Path

import click

from secure_server.i18n import _

data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    metavar=_("DIRECTORY"),
    help=_("Where the server keeps its data."),
)
certs_dir = click.option(
    "--dir",
    "--certs-dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certs"),
    show_default=True,
    metavar=_("DIRECTORY"),
    help=_("Where the certificates are kept."),
)
as_json = click.option("--json", "as_json", is_flag=True, help=_("Print JSON."))
