"""Writes the man pages from what `--help` says: `python scripts/man_pages.py [update|check]`.

`update` (the default) writes a page for each program and subcommand into docs/man, from where the wheel takes them;
`check` changes nothing and says which are out of step. The same programs always give the same bytes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "man"
_ROFF = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
"""What roff would take for its own, or typeset as something that cannot be copied into a shell."""


def roff(text: str) -> str:
    """Return a text, blanks and line ends folded, so that roff shows it as it is."""
    text = " ".join(text.split())
    shown = "".join(_ROFF.get(sign, sign) if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in text)
    return rf"\&{shown}" if shown.startswith(".") else shown


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    from secure_client.cli.completion import completion  # noqa: PLC0415 - after the language was chosen
    from secure_client.cli.enroll import enroll  # noqa: PLC0415 - as above
    from secure_client.cli.profile import profile  # noqa: PLC0415 - as above
    from secure_client.cli.program import connecting  # noqa: PLC0415 - as above
    from secure_server.cli import main  # noqa: PLC0415 - as above

    found: list[tuple[str, click.Command]] = [
        ("secure-client", connecting),
        ("secure-client profile", profile),
        ("secure-client enroll", enroll),
        ("secure-client completion", completion),
    ]
    contexts = [context for name, command in found for context in _walk(command, _context(command, name))]
    contexts += _walk(main, _context(main, "secure-server"))
    names = [_page_name(context) for context in contexts]
    return {f"{_page_name(context)}.1": _page(context, names) for context in contexts}


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """Return a context as a call makes it; click keeps the options of help that the first one of a command has."""
    return click.Context(command, parent, name, **command.context_settings)


def _walk(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        assert isinstance(command, click.Group)  # noqa: S101 - the types cannot tell
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            yield from _walk(found, _context(found, name, context))


def _page_name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context, names: Sequence[str]) -> str:
    command, name = context.command, _page_name(context)
    paragraphs = [part for part in (command.help or "").replace("\b", "").split("\n\n") if part.strip()]
    lines = [f'.TH "{roff(name.upper())}" "1" "" "secure\\-command\\-server" "User Commands"']
    lines += [".SH NAME", f"{roff(name)} \\- {roff(paragraphs[0]).rstrip('.')}"]
    pieces = " ".join(command.collect_usage_pieces(context))
    lines += [".SH SYNOPSIS", rf"\fB{roff(context.command_path)}\fR {roff(pieces)}"]
    lines += [".SH DESCRIPTION", *_paragraphs(paragraphs)]
    options = [item for item in command.get_params(context) if isinstance(item, click.Option)]
    records = [item.get_help_record(context) for item in options]
    lines += [".SH OPTIONS", *_listed([record for record in records if record is not None])]
    if isinstance(command, click.Group):
        below = [(each, command.get_command(context, each)) for each in command.list_commands(context)]
        told = [(each, (found.help or "").partition("\n\n")[0]) for each, found in below if found is not None]
        lines += [".SH COMMANDS", *_listed(told)]
    if command.epilog:
        lines += [".SH NOTES", *_paragraphs(command.epilog.split("\n\n"))]
    if others := _related(name, names):
        lines += [".SH SEE ALSO", ",\n".join(f".BR {roff(each)} (1)" for each in others).replace(",\n", " ,\n")]
    return "\n".join(lines) + "\n"


def _related(name: str, names: Sequence[str]) -> list[str]:
    """The page above, and those right below."""
    above = name.rpartition("-")[0]
    below = [each for each in names if each.rpartition("-")[0] == name]
    return sorted(([above] if above in names else []) + below)


def _paragraphs(parts: Sequence[str]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number:
            yield ".PP"
        yield roff(part)


def _listed(records: Sequence[tuple[str, str]]) -> Iterator[str]:
    for term, text in records:
        yield from (".TP", rf"\fB{roff(term)}\fR", roff(text) or r"\&")


def check(directory: Path = PAGES) -> list[str]:
    """Return what is out of step, a sentence each."""
    wanted, found = pages(), {path.name: path.read_text(encoding="ascii") for path in directory.glob("*.1")}
    wrong = [f"{name} is not what --help gives" for name in wanted if found.get(name) != wanted[name]]
    return wrong + [f"{name} belongs to no command" for name in sorted(found.keys() - wanted.keys())]


def update(directory: Path = PAGES) -> None:
    """Write all pages, and remove those of commands that are gone."""
    wanted = pages()
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*.1"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="ascii", newline="\n")


def main(arguments: Sequence[str]) -> int:
    """Do what the one argument says, and return the exit code."""
    action = arguments[0] if arguments else "update"
    if len(arguments) > 1 or action not in ("update", "check"):
        print(f"usage: man_pages.py [update|check]\n\n{__doc__}", file=sys.stderr)
        return 2
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        os.environ[name] = "C"  # pages are in English, whatever who writes them speaks
    if action == "update":
        update()
    faults = check()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from secure_client import streams

    streams.run(lambda: sys.exit(main(sys.argv[1:])))
