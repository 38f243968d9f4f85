"""From JSON to words: by name or by place, and no text becomes a flag."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_protocol.errors import CommandError
from secure_server.commands.command import ATTRIBUTE, Command, command
from secure_server.commands.context import Context
from secure_server.web.api.arguments import is_crowded, words_of


@command("DEPLOY")
def deploy(
    _context: Context, service: str, place: str = "here", *tickets: str, force: bool = False, after: str = ""
) -> str:
    """Take one of each kind."""
    return f"{service} {place} {tickets} {force} {after}"


@command("SAY")
def say(_context: Context, first: str, second: int | None = None, third: int = 3) -> str:
    """Take no flags."""
    return f"{first} {second} {third}"


def words(handler: object, body: object) -> list[bytes]:
    """Return what a body makes of a command."""
    (made,) = getattr(handler, ATTRIBUTE)
    assert isinstance(made, Command)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return words_of(made.describe(str), data)


def test_arguments_have_names_or_places() -> None:
    """Flags first, and what says that no more follow; what is left out before a given one is its default."""
    assert words(deploy, b"") == words(deploy, {}) == words(deploy, []) == []
    assert words(say, {"first": "a", "second": 2}) == words(say, ["a", 2]) == [b"a", b"2"]
    given = {"service": "web", "tickets": ["A", "B"], "force": True, "after": "x y"}
    assert words(deploy, given) == [b"--force", b"--after=x y", b"--", b"web", b"here", b"A", b"B"]
    assert words(deploy, {"force": False, "service": None}) == [b"--force=no"]
    assert words(deploy, ["web", ["A", "B"]]) == [b"--", b"web", b"A", b"B"]
    assert words(say, {"first": 1.5, "second": True}) == [b"1.5", b"yes"]


WRONG: dict[str, tuple[object, object, str]] = {
    "no JSON": (say, b"{", "The body is no JSON."),
    "no JSON either": (say, b'["\xff"]', "The body is no JSON."),
    "a number that JSON has not": (say, b"[Infinity]", "The body is no JSON."),
    "endless nesting": (say, b"[" * 100_000, "The body is no JSON."),
    "another kind": (say, b'"text"', "The body is a JSON object of arguments by their names, or an array"),
    "another name": (say, {"firts": 1}, "There is no argument firts; there are: first, second, third."),
    "a flag's dashes": (deploy, {"--force": True}, "There is no argument --force"),
    "twice": (say, b'{"first": 1, "first": 2}', "The argument first is given twice."),
    "a gap": (say, {"first": "a", "third": 3}, "third stands behind second: give that as well."),
    "a list for one": (say, {"first": ["a"]}, "first takes one value, not a list."),
    "a list for a flag": (deploy, {"after": ["a"]}, "after takes one value, not a list."),
    "a list in a list": (deploy, {"service": "a", "tickets": [["a"]]}, "tickets takes one value, not a list."),
    "an object": (say, {"first": {}}, "first takes a text, a number, true or false."),
    "nothing by place": (say, [None], "[] takes a text, a number, true or false."),
}


@pytest.mark.parametrize(("handler", "body", "sentence"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_told(handler: object, body: object, sentence: str) -> None:
    """In a sentence that says what to do; nothing is left out in silence."""
    with pytest.raises(CommandError) as caught:
        words(handler, body)
    assert caught.value.sentence().startswith(sentence)


@given(st.lists(st.text() | st.sampled_from(["--", "--force", "--after=x", "-f"]), min_size=2))
def test_no_text_is_taken_for_a_flag(texts: list[str]) -> None:
    """Whatever it begins with, by place and by name: the handler gets what was sent."""
    (made,) = getattr(deploy, ATTRIBUTE)
    service, place, *tickets = texts
    for body in (texts, {"service": service, "place": place, "tickets": tickets, "after": service}):
        given = words_of(made.describe(str), json.dumps(body).encode())
        values, flags = made.signature.bind("DEPLOY", given)
        assert values == texts
        assert flags == ({} if isinstance(body, list) else {"after": service})


@pytest.mark.parametrize(
    ("body", "crowded"),
    [
        (b"", False),
        (b"[1,2,3,4]", False),
        (b'{"first": "a,b,c,d,e,f,[{", "second": 5}', False),
        (b'["\\"', False),
        (b'["' + b"," * 1000 + b'"]', False),
        (b'["' + b'\\\\\\"' * 1000 + b'"]', False),
        (b"[" + b"0," * 20 + b"0]", True),
        (b'["",' * 20, True),
        (b"[" * 20, True),
        (b"{" * 20, True),
    ],
)
def test_a_body_with_too_many_values_is_known_before_it_is_read(body: bytes, *, crowded: bool) -> None:
    """By what stands outside its texts; a text may be as long as it likes."""
    assert is_crowded(body, 8) is crowded


def test_numbers_are_sent_as_they_were_written() -> None:
    """The command reads them; nothing is rounded on the way."""
    assert words(say, b'{"first": 1.50, "second": 12345678901234567890123}') == [b"1.50", b"12345678901234567890123"]
