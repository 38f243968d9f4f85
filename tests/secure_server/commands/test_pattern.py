"""Patterns: what they match, in what time, what is refused at the start, and a server without their engine."""

from __future__ import annotations

import ast
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest

from secure_protocol.errors import CommandError
from secure_server.commands import Argument, Context
from secure_server.commands.loading import LoadingError, load_declared
from secure_server.commands.parameter import ARGUMENT_BYTES, Parameter
from secure_server.commands.pattern import PatternError, matcher
from secure_server.commands.registry import Registry
from secure_server.commands.signature import Signature

ROOT = Path(__file__).resolve().parents[3]
SLOW = "(a+)+b"
"""Takes Python's engine longer than the universe has, with a few dozen letters a."""
LINEAR_SECONDS = 5.0
"""For 128 KB, which take RE2 a millisecond."""


@pytest.mark.parametrize(
    ("pattern", "argument", "matches"),
    [
        ("[a-z]+", b"abc", True),
        ("[a-z]+", b"abc\n", False),
        ("a|ab", b"ab", True),
        ("^a$", b"a", True),
        ("a$", b"a\n", False),
        (".*", b"a\nb", False),
        ("(?s).*", b"a\nb", True),
        (".", "é".encode(), True),
        (".", b"\xff", False),
        (r"[\\xf]+", b"\xff", False),
        (r"\w+", "é".encode(), False),
        (r"\d", "٣".encode(), False),
        (r"\pL", "é".encode(), True),
        ("a*", b"", True),
        ("é", "é".encode(), True),
        ("(a)(b)?", b"a", True),
    ],
)
def test_a_pattern_is_for_the_whole_argument(pattern: str, argument: bytes, matches: bool) -> None:  # noqa: FBT001 - a column of the table
    r"""`\d` and `\w` mean ASCII; bytes that are not UTF-8 match nothing."""
    assert matcher(pattern)(argument) is matches


def test_time_grows_with_the_length_alone() -> None:
    """Nested repetition included."""
    begin = time.monotonic()
    assert not matcher(SLOW)(b"a" * 131_072)
    assert time.monotonic() - begin < LINEAR_SECONDS


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)a", "(?!a)b", "(?<=a)b", "(?<!a)b", "(?P<x>a)(?P=x)", "(?>a)", "a++", r"a\Z", "a{1001}"]
)
def test_what_re2_does_not_take_is_refused(pattern: str) -> None:
    """With what is wrong, and where its syntax stands; nothing goes to stderr besides."""
    with pytest.raises(PatternError) as caught:
        matcher(pattern)
    assert str(caught.value).startswith(f"its pattern {pattern!r} is none that RE2 takes, which has no look-around")
    assert "https://github.com/google/re2/wiki/Syntax" in str(caught.value)


def _short(_context: Context, x: Annotated[str, Argument(pattern="a+", longest=8)]) -> None: ...
def _default(_context: Context, x: str) -> None: ...
def _data(_context: Context, x: bytes) -> None: ...
def _data_with_pattern(_context: Context, x: Annotated[bytes, Argument(pattern="(?s).*")]) -> None: ...
def _lifted(_context: Context, *, x: Annotated[str | None, Argument(longest=100_000)] = None) -> None: ...
def _short_data(_context: Context, x: Annotated[bytes, Argument(longest=2)]) -> None: ...


@pytest.mark.parametrize(
    ("handler", "longest"),
    [
        (_short, 8),
        (_default, ARGUMENT_BYTES),
        (_data, None),
        (_data_with_pattern, ARGUMENT_BYTES),
        (_lifted, 100_000),
        (_short_data, 2),
    ],
)
def test_an_argument_of_a_function_has_a_length(handler: Callable[..., object], longest: int | None) -> None:
    """Text has 4096 bytes unless its declaration lifts that; bytes alone are data."""
    signature = Signature(handler)
    flag = [b"--x"] if handler is _lifted else []
    signature.bind("X", [*flag, b"a" * (longest or 500_000)])
    if longest is not None:
        with pytest.raises(CommandError) as caught:
            signature.bind("X", [*flag, b"a" * (longest + 1)])
        assert str(caught.value).endswith(f"is longer than {longest} bytes.")


def test_the_length_is_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the pattern nor the conversion sees what is too long."""

    def never(_: bytes) -> bool:
        raise AssertionError

    monkeypatch.setattr("secure_server.commands.parameter.matcher", lambda _pattern: never)
    parameter = Parameter("x", "str", never, more=Argument(pattern=SLOW))
    with pytest.raises(CommandError, match="is longer than 4096 bytes"):
        parameter.read(b"a" * (ARGUMENT_BYTES + 1))


@pytest.mark.parametrize("missing", [None, types.ModuleType("re2")])
def test_without_the_engine_a_pattern_is_refused(monkeypatch: pytest.MonkeyPatch, missing: object) -> None:
    """In one sentence with the line that installs it; all else works. Another package called `re2` is not it."""
    monkeypatch.setitem(sys.modules, "re2", missing)
    registry = Registry()
    load_declared(registry, {"PLAIN": {"run": ["df", "{x}"], "arguments": {"x": {}}}})
    with pytest.raises(LoadingError) as caught:
        load_declared(registry, {"DISK": {"run": ["df", "{x}"], "arguments": {"x": {"pattern": "a+"}}}})
    assert str(caught.value) == (
        "The configuration: commands.DISK.arguments: x: its pattern 'a+' needs the package google-re2: "
        "pip install google-re2."
    )
    with pytest.raises(TypeError, match="parameter x: its pattern 'a\\+' needs the package google-re2"):
        Signature(_short)
    assert Signature(_default).bind("X", [b"a"]) == (["a"], {})


def test_pythons_engine_runs_nobodys_pattern() -> None:
    """Every pattern for `re` stands in the source: none comes from a peer or from a configuration."""
    foreign = []
    for package in ("secure_protocol", "secure_client", "secure_server"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                    continue
                if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and not _ours(node.args[0]):
                    foreign.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert foreign == []


def _ours(pattern: ast.expr) -> bool:
    """Whether a pattern is written there, of constants alone."""
    if isinstance(pattern, ast.JoinedStr):
        return all(
            isinstance(part, ast.Constant) or (isinstance(part, ast.FormattedValue) and _constant(part.value))
            for part in pattern.values
        )
    return isinstance(pattern, ast.Constant) or _constant(pattern)


def _constant(value: ast.expr) -> bool:
    """Whether its name is that of a constant, or it is reckoned from one."""
    names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
    return bool(names) and all(name.isupper() for name in names)
