"""`[commands.NAME]`: every mistake stops the start with a sentence that names the key."""

from __future__ import annotations

import pytest

from secure_server.commands.programs.declaration import DeclarationError, read, signature
from secure_server.commands.programs.program import declare
from secure_server.config.quantities import Size

UNUSED = ".arguments.x: nothing uses it; write {x} in run, stdin or environment."


def sentence(table: object, name: str = "X") -> str:
    """What is said of a declaration."""
    with pytest.raises(DeclarationError) as caught:
        declare(name, table)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("commands.X")


def one(**argument: object) -> dict[str, object]:
    """A declaration with this argument."""
    return {"run": ["echo", "{x}"], "arguments": {"x": argument}}


def test_the_least_is_an_argv() -> None:
    """All else has a default."""
    found = read("X", {"run": ["uptime"]})
    assert (found.role, found.timeout, found.max_output, found.exit_codes) == (
        "user",
        None,
        Size(8 << 20),
        (0,),
    )
    assert (found.stderr, found.directory, found.environment, found.idempotent) == ("merge", "", {}, False)
    assert not [name for name in found.inherit if "TOKEN" in name or "KEY" in name]
    assert (found.job, found.max_running, found.when_busy, found.lock) == (False, None, "refuse", "")
    assert (found.on_revoked, found.notify, found.internal) == ("stop", (), False)


@pytest.mark.parametrize(
    ("said", "timeout"),
    [({}, 60.0), ({"job": True}, None), ({"job": True, "timeout": "2h"}, 7200.0), ({"timeout": 0}, None)],
)
def test_a_job_has_the_time_that_it_takes(said: dict[str, object], timeout: float | None) -> None:
    """Unless it says otherwise; all else has a minute, for somebody waits for it."""
    assert declare("X", {"run": ["uptime"], **said}).timeout == timeout


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (5, ": expected a table, found a whole number."),
        ({}, ": run is missing: a list of the program and its arguments."),
        ({"run": "df -h"}, ".run: expected a list, found text."),
        ({"run": []}, ".run: expected a list that is not empty."),
        ({"run": [""]}, ".run: the program must stand there itself; a peer may not choose it."),
        ({"run": ["df", 1]}, ".run[1]: expected text, found a whole number."),
        ({"run": ["df", "\0"]}, ".run[1]: expected text without control characters."),
        ({"run": ["bin/df"]}, ".run: bin/df is relative; write the whole path, or a name to be found in PATH."),
        ({"run": ["df"], "role": "root"}, ".role: expected 'user', 'operator', 'admin', found 'root'."),
        ({"run": ["df"], "stderr": True}, ".stderr: expected text, found true or false."),
        ({"run": ["df"], "exit_codes": [0, 256]}, ".exit_codes[1]: expected a whole number <= 255."),
        (
            {"run": ["df"], "timeout": "soon"},
            ".timeout: expected a duration such as \"500ms\", \"10s\", \"5m\", \"2h\" or \"1d\", found 'soon'.",
        ),
        ({"run": ["df"], "timeout": "8d"}, ".timeout: expected at most 7d, or 0 for none, found 8d."),
        (
            {"run": ["df"], "max_output": "big"},
            ".max_output: expected a size such as \"4KB\", \"16MB\" or a number of bytes, found 'big'.",
        ),
        ({"run": ["df"], "inherit": ["A=B"]}, ".environment: 'A=B' is no name of a variable."),
        ({"run": ["df"], "environment": {"A B": "x"}}, ".environment: 'A B' is no name of a variable."),
        (
            {"run": ["df"], "tiemout": 1},
            (
                ": unknown key tiemout; allowed are arguments, confirm, danger, directory, environment, "
                "example, exit_codes, group, idempotent, inherit, internal, job, limits, lock, max_output, "
                "max_running, nice, notify, on_revoked, role, run, run_as, stderr, stdin, summary, timeout, umask, "
                "when_busy."
            ),
        ),
        ({"run": ["df"], "job": 1}, ".job: expected true or false, found a whole number."),
        ({"run": ["df"], "max_running": 0}, ".max_running: expected a whole number >= 1."),
        ({"run": ["df"], "max_running": True}, ".max_running: expected a whole number, found true or false."),
        ({"run": ["df"], "when_busy": "wait"}, ".when_busy: expected 'refuse', 'queue', 'attach', found 'wait'."),
        ({"run": ["df"], "on_revoked": "go"}, ".on_revoked: expected 'stop', 'go-on', found 'go'."),
        ({"run": ["df"], "notify": "TEAM"}, ".notify: expected a list, found text."),
        ({"run": ["df", "{x}"]}, ".run: {x} is not declared; add arguments.x."),
        (
            {"run": ["{x}"], "arguments": {"x": {}}},
            ".run: the program must stand there itself; a peer may not choose it.",
        ),
        ({"run": ["df"], "arguments": {"x": {}}}, UNUSED),
        ({"run": ["df", "{{x}}"], "arguments": {"x": {}}}, UNUSED),
        (
            {"run": ["df", "{X}"], "arguments": {"X": {}}},
            ".arguments.X: a name has small letters, digits and _, and a letter first.",
        ),
        ({"run": ["df", "{x}"], "arguments": {"x": "int"}}, ".arguments.x: expected a table, found text."),
        (one(type="path"), ".arguments.x.type: expected 'str', 'int', 'float', found 'path'."),
        (one(minimum=1), '.arguments.x: minimum and maximum are for type = "int" or "float".'),
        (one(type="int", minimum=2, maximum=1), ".arguments: x: its minimum 2 is more than its maximum 1."),
        (
            one(pattern="("),
            (
                ".arguments: x: its pattern '(' is none that RE2 takes, which has no look-around and no "
                "back-references: missing ): (; see https://github.com/google/re2/wiki/Syntax."
            ),
        ),
        (one(longest="65KB"), ".arguments.x: longest: expected 1B to 64KB, found 65KB."),
        (one(longest=0), ".arguments.x: longest: expected 1B to 64KB, found 0B."),
        (
            one(choices=["a"], type="int"),
            ".arguments.x: choices say it all; a type, a pattern or bounds beside them contradict that.",
        ),
        (one(choices=["-a"]), ".arguments.x: a choice begins with -; allow that with dash = true."),
        (one(variadic=True, default="a"), ".arguments.x: what may be repeated has no default."),
        (one(choices=["a"], default="b"), ".arguments: its default is not allowed: Argument x: b is not one of a."),
        (
            one(type="int", default=0, minimum=1),
            ".arguments: its default is not allowed: Argument x: 0 is less than 1.",
        ),
        (
            {"run": ["df", "a{x}"], "arguments": {"x": {"variadic": True}}},
            ".run: {x} takes several arguments, so it must stand alone.",
        ),
        (
            {"run": ["df", "{x}", "{y}"], "arguments": {"x": {"variadic": True}, "y": {}}},
            ".arguments: x takes all that follow, so y must stand before it.",
        ),
        (
            {"run": ["df", "{x}", "{y}"], "arguments": {"x": {"optional": True}, "y": {}}},
            ".arguments: y is required, so x before it cannot be left out.",
        ),
        ({"run": ["df"], "danger": "yes"}, ".danger: expected true or false, found text."),
        ({"run": ["df"], "confirm": "a\nb"}, ".confirm: expected text without control characters."),
        (
            one() | {"confirm": "Do {y}?"},
            ": X: confirm has {y}, which is no argument; allowed are {x}, {server}.",
        ),
        (
            {"run": ["df", "{server}"], "arguments": {"server": {}}, "confirm": "Sure?"},
            ": X: in confirm {server} is the server, so no argument can be called that; give it another name.",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named(table: object, problem: str) -> None:
    """The key, what is allowed, and what was found."""
    assert sentence(table) == problem


def test_the_name_is_one() -> None:
    """As for every command."""
    assert sentence({"run": ["df"]}, "d f k").startswith("commands.d f k: 'D F K' is no name for a command")


def test_what_it_says_reaches_the_client() -> None:
    """Types, choices, bounds, patterns, defaults and summaries."""
    table = {
        "run": ["x", "{a}", "{b}", "{c}", "{d}", "{e}"],
        "arguments": {
            "a": {"choices": ["one", "two words"], "summary": "which"},
            "b": {"type": "int", "minimum": 1, "maximum": 9},
            "c": {"pattern": "[a-z]+", "default": "abc"},
            "d": {"type": "float", "optional": True},
            "e": {"variadic": True, "optional": True},
        },
    }
    found = [item.describe(str) for item in signature("X", read("X", table)).parameters]
    assert (found[0].choices, found[0].summary, found[0].optional) == (("one", "two words"), "which", False)
    assert (found[1].type, found[1].minimum, found[1].maximum) == ("int", 1, 9)
    assert (found[2].pattern, found[2].default, found[2].optional) == ("[a-z]+", "abc", True)
    assert (found[3].type, found[3].optional) == ("float", True)
    assert (found[4].variadic, found[4].optional) == (True, True)


def test_a_missing_program_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It may be installed later, and must not take the other commands away at a reboot."""
    declare("GONE", {"run": ["no-such-program"]})
    assert "commands.GONE: there is no program no-such-program here; the command will fail" in caplog.text
    caplog.clear()
    declare("HERE", {"run": ["sh"]})
    assert not caplog.text
