"""Words are given for the arguments for which the server takes them, whatever stands where."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_client.catalogue import Catalogue
from secure_client.typed.arguments import assigned, call_of
from secure_client.typed.line import Line, holds_secret, secret_spans
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import CommandError
from secure_protocol.text_requests import split
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.context import Context
from secure_server.commands.registry import Registry
from secure_server.commands.signature import Signature

EVERYTHING = Catalogue(
    [CommandDescription("HIDE", arguments=(ArgumentDescription("all", secret=True, variadic=True, optional=True),))]
)


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
        assert words[item.at].startswith(item.prefix)


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


@pytest.mark.parametrize(
    ("text", "screen"),
    [
        ("UNLOCK front s3cret", "UNLOCK front ******"),
        ('unlock "front door" "s3 cret', 'unlock "front door" ********'),
        ("unlock front 's3\\", "unlock front ****"),
        ('UNLOCK front s"3 c"ret', "UNLOCK front *********"),
        ("UNLOCK front\ns3cret", "UNLOCK front\n******"),
        ("JOB START --key k UNLOCK é s3cret", "JOB START --key k UNLOCK é ******"),
        ("JOB RERUN 7 s3cret", "JOB RERUN 7 ******"),
        ("SIGN --key=s3cret", "SIGN --key=******"),
        ('SIGN "--key=s3cret"', "SIGN **************"),
        ("SIGN --key @~/key", "SIGN --key @~/key"),
        ("SIGN --key @@key", "SIGN --key *****"),
        ("UNLOCK front ", "UNLOCK front "),
        ('"', '"'),
        ("", ""),
    ],
)
def test_secrets_are_hidden_while_they_are_typed(text: str, screen: str) -> None:
    """In a line that is not finished, too; a name of a file is none."""
    shown = list(text)
    for start, end in secret_spans(CATALOGUE, text):
        shown[start:end] = "*" * (end - start)
    assert "".join(shown) == screen


@example("'a\\\\' b")
@given(st.text(alphabet="ab \t\"'\\\n\v\r\udc80é"))
def test_what_is_hidden_is_what_is_sent(text: str) -> None:
    """A word is where the server finds one, however it is quoted."""
    try:
        words = split(text.encode("utf-8", "surrogateescape"))
    except ValueError:
        secret_spans(EVERYTHING, f"HIDE {text}")  # it is not sent: something is hidden, and nothing raised
        return
    shown = f"HIDE {text}"
    spans = secret_spans(EVERYTHING, shown)
    assert [b"".join(split(shown[start:end].encode("utf-8", "surrogateescape"))) for start, end in spans] == words


def test_what_is_not_known_yet_is_kept_nowhere() -> None:
    """A line that came before the server's own words, and one that is none."""
    assert holds_secret(Catalogue(), "UNLOCK front s3cret")
    assert holds_secret(CATALOGUE, 'UNLOCK front "s3cret')
    assert not holds_secret(CATALOGUE, 'DEPLOY "front')
