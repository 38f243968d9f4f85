"""What a command would choose: asked for, shown, and held to."""

from __future__ import annotations

import pytest

from secure_client.catalogue import Catalogue
from secure_client.errors import CommandFailed, DeclinedError, NotSentError
from secure_client.typed.asking import Question
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import ErrorCode

EXPEL = CommandDescription(
    "EXPEL",
    arguments=(
        ArgumentDescription("words", variadic=True),
        ArgumentDescription("reason", flag=True, optional=True),
        ArgumentDescription("shown", flag=True, optional=True),
        ArgumentDescription("yes", "bool", flag=True, optional=True),
    ),
    confirm="Expel these of {server}?",
    preview="PREVIEW EXPEL",
)
CATALOGUE = Catalogue([EXPEL])
ROWS = [{"id": 3, "user": "ana"}, {"id": 5, "user": "bia\x1b[2J"}]


def line(text: str) -> Line:
    """A typed line."""
    found = Line.parse(text)
    assert found is not None
    return found


def test_the_line_holds_to_what_was_shown() -> None:
    """The preview gets the arguments as they are; the question has a table that is fit for a terminal."""
    asked: list[Question] = []
    ran: list[tuple[object, ...]] = []

    def execute(*words: object) -> object:
        ran.append(words)
        return ROWS

    def ask(question: Question) -> bool:
        asked.append(question)
        return True

    typed = line("expel user=x --reason 'so it is' -- --odd")
    sent = Precautions("work", ask=ask).take(CATALOGUE, typed, execute)
    assert ran == [("PREVIEW", "EXPEL", b"user=x", b"--reason", b"so it is", b"--", b"--odd")]
    assert sent.words == (b"expel", b"--shown=3,5", b"user=x", b"--reason", b"so it is", b"--", b"--odd")
    assert sent.text == typed.text
    assert asked[0].text == "Expel these of work?"
    assert "ana" in asked[0].shown
    assert "\x1b[2J" not in asked[0].shown


@pytest.mark.parametrize("yes", ["--yes", "--yes=yes", ""])
def test_a_yes_beforehand_asks_and_looks_at_nothing(yes: str) -> None:
    """That of the program, or of the command."""
    typed = line(f"EXPEL user=x {yes}")
    precautions = Precautions("work", yes=not yes, ask=lambda _question: pytest.fail("asked"))
    assert precautions.take(CATALOGUE, typed, lambda *_words: pytest.fail("looked")) == typed


@pytest.mark.parametrize("told", [None, [], "x", [3], [{}]], ids=str)
def test_where_nothing_is_shown_nothing_is_asked(told: object) -> None:
    """The server says so of what is sure, such as a number; what is no table is taken for that."""
    typed = line("EXPEL 7")
    precautions = Precautions("work", ask=lambda _question: pytest.fail("asked"))
    assert precautions.take(CATALOGUE, typed, lambda *_words: told) == typed


def test_nothing_is_sent_where_it_cannot_be_known_or_asked() -> None:
    """An error of the preview is the answer, for meanwhile somebody may be chosen; without a terminal it is said."""

    def refuse(*_words: object) -> object:
        raise CommandFailed(ErrorCode.ERR, "No such client; write PREVIEW EXPEL whom, and not 'preview expel'.")

    with pytest.raises(CommandFailed, match=r"No such client; write EXPEL whom, and not 'expel'\."):
        Precautions("work", ask=lambda _question: True).take(CATALOGUE, line("EXPEL user=x"), refuse)
    with pytest.raises(NotSentError, match=r"Expel these of work\? There is no terminal to answer on"):
        Precautions("work").take(CATALOGUE, line("EXPEL user=x"), lambda *_words: ROWS)
    with pytest.raises(DeclinedError):
        Precautions("work", ask=lambda _question: False).take(CATALOGUE, line("EXPEL user=x"), lambda *_words: ROWS)


def test_of_several_lines_each_asks_in_its_turn() -> None:
    """What they choose may change until then, so an agreement to all of them is none to that."""
    precautions = Precautions("work", ask=lambda _question: False)
    assert precautions.question(CATALOGUE, line("EXPEL user=x")) is None
    with pytest.raises(DeclinedError):
        precautions.take(CATALOGUE, line("EXPEL user=x"), lambda *_words: ROWS, agreed=True)
