"""Two readers of one command line: what the quick one understands, click understands likewise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_client.cli.main import Plain, plain
from secure_client.cli.program import connecting
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer

WORDS = st.sampled_from(
    [
        *["-c", "--json", "work", "PING", "localhost:5000", "", "-", "--", "-cPING", "-h", "--yes", "--ca", "--js"],
        *["--json=1", "a b", "profile", "enroll", "--version", "-c-c", "-C"],
    ]
)


@given(words=st.lists(WORDS, max_size=6))
def test_both_understand_the_same(words: list[str]) -> None:
    """Wherever the quick one does; it leaves to click what it does not know."""
    line = plain(words)
    if line is None:
        return
    found = dict(connecting.make_context("secure-client", list(words)).params)
    usual = dict(connecting.make_context("secure-client", []).params)
    assert Plain(found["target"], found["commands"], as_json=found["as_json"]) == line
    rest = usual.keys() - {"target", "commands", "as_json"}
    assert all(found[name] == usual[name] for name in rest), "nothing else was said"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], Plain(None, (), as_json=False)),
        (["work"], Plain("work", (), as_json=False)),
        (["-c", "PING"], Plain(None, ("PING",), as_json=False)),
        (["--json", "-c", "A", "work", "-c", "--json"], Plain("work", ("A", "--json"), as_json=True)),
        (["-c"], None),
        (["a", "b"], None),
        (["profile"], None),
        (["--yes"], None),
    ],
)
def test_what_the_quick_one_understands(words: list[str], line: Plain | None) -> None:
    """The usual, and no more."""
    assert plain(words) == line


def test_click_says_what_is_wrong_with_the_rest() -> None:
    """As it always did."""
    with pytest.raises(click.UsageError):
        connecting.make_context("secure-client", ["a", "b"])


NEEDLESS = {
    *(
        "click",
        "msgspec",
        "scramp",
        "asn1crypto",
        "prompt_toolkit",
        "rich",
        "gettext",
        "random",
        "platformdirs",
        "idna",
    ),
    *("uuid", "importlib.metadata", "shutil", "dataclasses", "inspect", "logging", "concurrent.futures"),
    *(f"secure_client.{name}" for name in ("job", "pipeline", "pushes", "stream", "asynchronous", "terminal.top")),
}

PROGRAM = """
import gc, sys
from secure_client.__main__ import main
try:
    main()
finally:
    print(*sys.modules, gc.isenabled() and gc.get_freeze_count() > len(sys.modules), file=sys.stderr)
"""


def test_nothing_is_imported_that_a_command_does_not_need(
    server: ScriptedServer, authority: Authority, token: Token, tmp_path: Path
) -> None:
    """By a saved profile, over TLS, with the mutual handshake; and no garbage is looked for in it at the end."""
    profile = f'{{"a": {{"endpoint": "{server.address}", "ca": "{authority.ca}", "token": "{token.reveal()}"}}}}'
    (tmp_path / "profiles.json").write_text(profile, encoding="utf-8")
    (tmp_path / "profiles.json").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "a", "-c", "PING"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "SECURE_CLIENT_HOME": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "PONG\n")
    *imported, unlooked = done.stderr.split()
    assert NEEDLESS & set(imported) == set()
    assert unlooked == "True"
