"""The configuration as TOML: it reads back as what was written, and masks what it must."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_server.config.file import load, settings
from secure_server.config.settings import Config
from secure_server.config.writing import DEFAULT, MASK, document, dotted, value

FULL = """
language = "pt_BR"
[limits]
max_clients = 7
[timeouts]
idle = "90s"
[penalties]
exempt = ["10.0.0.0/8"]
[tls]
client_certificates = "optional"
[certificates."a.b"]
role = "operator"
allow = []
[commands]
modules = ["ops"]
[commands.DISK]
run = ["df", "-h", "{path}", "a\\nb\\u007f\\"é😀\\\\"]
arguments.path = { choices = ["/", "/srv"], optional = true }
arguments.depth = { type = "int", optional = true, maximum = 9 }
timeout = 1.5
idempotent = true
[commands.EMPTY]
run = ["true"]
arguments = {}
"""

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(held=VALUES, key=st.text())
def test_whatever_is_written_reads_back(held: object, key: str) -> None:
    """Any text, controls and all, in values and in keys; on one line."""
    line = f"{dotted((key,))} = {value(held)}"
    assert "\n" not in line
    assert tomllib.loads(line) == {key: held}


def test_a_document_says_what_it_was_made_of(tmp_path: Path) -> None:
    """Every setting, each command and each certificate; and the defaults are marked, and nothing else is."""
    (tmp_path / "full.toml").write_text(FULL)
    config = load(tmp_path / "full.toml")
    (tmp_path / "shown.toml").write_text(document(config))
    assert load(tmp_path / "shown.toml") == config
    marked = [line for line in document(config).splitlines() if line.endswith(DEFAULT)]
    assert len(marked) == len(list(settings())) - 6  # language, max_clients, idle, exempt, client_certificates, modules


def test_the_defaults_are_all_marked() -> None:
    """With a table each."""
    lines = [line for line in document(Config()).splitlines() if line and not line.startswith("[")]
    assert all(line.endswith(DEFAULT) for line in lines)
    assert len(lines) == len(list(settings()))


@pytest.mark.parametrize(
    "environment",
    [
        'environment.SECRET = "hunter2"',
        'environment = "hunter2"',
        'environment.SECRET = {file="hunter2"}',
        'stdin = "hunter2"',
        'stdin.a = "hunter2"',
    ],
)
def test_what_a_program_finds_in_its_environment_or_its_input_is_masked(tmp_path: Path, environment: str) -> None:
    """Whatever stands there."""
    (tmp_path / "a.toml").write_text(f'[commands.DISK]\nrun = ["df"]\n{environment}\n')
    shown = document(load(tmp_path / "a.toml"))
    assert MASK in shown
    assert "hunter2" not in shown
