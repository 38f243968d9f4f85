"""Words are given for the arguments for which the server takes them, whatever stands where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_client.catalogue import Catalogue
from secure_client.typed.arguments import assigned, call_of
from secure_client.typed.line import Line, holds_secret
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import CommandError
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.context import Context
from secure_server.commands.registry import Registry
from secure_server.commands.signature import Signature


def deploy(
    _context: Context, host: str, stage: str = "test", *rest: str, force: bool = False, dry_run: str = "no"
) -> None:
    """Deploy."""


SIGNATURE = Signature(deploy)
DEPLOY = CommandDescription("DEPLOY", arguments=tuple(item.describe(str) for item in SIGNATURE.parameters))
KEY = ArgumentDescription("key", secret=True)
BUILT_INS = Registry()
BUILT_INS.load(BUILT_IN)
CATALOGUE = Catalogue(
    [
        DEPLOY,
        next(item for item in BUILT_INS if item.name == "JOB RERUN").describe(str),
        CommandDescription("GUESS", arguments=(ArgumentDescription("door", "int"), KEY)),
        CommandDescription("JOB START", arguments=(ArgumentDescription("words", variadic=True),)),
        CommandDescription("UNLOCK", arguments=(ArgumentDescription("door"), KEY)),
        CommandDescription("SIGN", arguments=(ArgumentDescription("key", secret=True, file=True, flag=True),)),
    ]
)


@given(st.lists(st.sampled_from([b"--force", b"--force=no", b"--dry-run", b"--dry-run=a=b", b"--", b"-x", b"a", b""])))
def test_words_are_taken_as_the_server_takes_them(words: list[bytes]) -> None:
    """Options anywhere before `--`, with their values behind `=` or next; all others in order."""
    try:
        values, flags = SIGNATURE.bind("DEPLOY", words)
    except CommandError:
        assigned(DEPLOY, words)  # what the server refuses is read somehow, and raises nothing
        return
    found = assigned(DEPLOY, words)
    assert [item.value.decode() for item in found if not item.argument.flag] == values
    read = {item.argument.name.replace("-", "_"): item.value for item in found if item.argument.flag}
    assert {name: value.decode() if name == "dry_run" else value == b"yes" for name, value in read.items()} == flags
    for item in found:
        assert words[item.index].startswith(item.prefix)


@pytest.mark.parametrize(
    ("line", "name", "given_for"),
    [
        ("deploy web", "DEPLOY", [("host", b"web")]),
        ("JOB START DEPLOY web", "DEPLOY", [("host", b"web")]),
        ("job start --key k --at=now deploy web", "DEPLOY", [("host", b"web")]),
        ("JOB START nonsense web", "JOB START", [("words", b"nonsense"), ("words", b"web")]),
        ("JOB START JOB START DEPLOY web", "JOB START", [("words", b"DEPLOY"), ("words", b"web")]),
        ("JOB START --key", "JOB START", [("words", b"--key")]),
        ("JOB SHOW", None, None),
        ("UNLOCK a b c", "UNLOCK", [("door", b"a"), ("key", b"b")]),
    ],
)
def test_a_job_is_started_of_another_command(line: str, name: str | None, given_for: list[object] | None) -> None:
    """What is said of that command counts."""
    parsed = Line.parse(line)
    assert parsed is not None
    call = call_of(CATALOGUE, parsed.words)
    if call is None:
        assert name is None
        return
    assert call.description.name == name
    assert [(item.argument.name, item.value) for item in call.given] == given_for


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        ("UNLOCK front s3cret", True, "UNLOCK front ***"),
        ('unlock "front door" "s3 cret"', True, 'unlock "front door" ***'),
        ("JOB START UNLOCK front s3cret", True, "JOB START UNLOCK front ***"),
        ("UNLOCK s3cret", True, "UNLOCK s3cret"),  # the door was forgotten
        ("UNLOCK", False, "UNLOCK"),
        ("SIGN --key=s3cret", True, "SIGN --key=***"),
        ("SIGN --key @~/key", False, "SIGN --key ***"),
        ("SIGN --key @@s3cret", True, "SIGN --key ***"),
        ("SIGN s3cret --key @~/key", False, "SIGN s3cret --key ***"),
        ("JOB RERUN 7", False, "JOB RERUN 7"),
        ("JOB RERUN 7 s3cret front", True, "JOB RERUN 7 *** ***"),
        ("JOB RERUN 7 @~/key", False, "JOB RERUN 7 ***"),
        ("JOB RERUN s3cret", True, "JOB RERUN s3cret"),
        ("JOB RERUN 7 --key=k", True, "JOB RERUN 7 --key=k"),
        ("GUESS 7", True, "GUESS 7"),
        ("DEPLOY web  now", False, "DEPLOY web  now"),
        ("NONSENSE s3cret", False, "NONSENSE s3cret"),
    ],
)
def test_secrets_are_known_by_their_places(text: str, secret: bool, shown: str) -> None:  # noqa: FBT001 - a table's column
    """They are shown as stars and kept in no history; nor is a line in which one may stand elsewhere."""
    assert holds_secret(CATALOGUE, text) is secret
    line = Line.parse(text)
    assert line is not None
    assert line.without_secrets(CATALOGUE).text == shown
    assert line.without_secrets(CATALOGUE).words == line.words


def test_what_is_not_known_yet_is_kept_nowhere() -> None:
    """A line that came before the server's own words, and one that is none."""
    assert holds_secret(Catalogue(), "UNLOCK front s3cret")
    assert holds_secret(CATALOGUE, 'UNLOCK front "s3cret')
    assert not holds_secret(CATALOGUE, 'DEPLOY "front')
