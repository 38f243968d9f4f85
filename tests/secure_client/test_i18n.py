"""What a person reads from the client is in its catalog, and shown in the language of the environment.

That each catalog is whole and in step with the code is held for all packages by tests/secure_server/test_i18n.py.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.translations import DOMAINS, LANGUAGES, extract, placeholders
from secure_client import AuthenticationError, ConnectionLostError, i18n
from secure_client.core.endpoint import Endpoint
from secure_client.core.login import parse_token
from secure_client.errors import SetupError, may_have_run
from secure_client.i18n import N_, _, chosen, translator
from secure_server import i18n as server_i18n

(CLIENT,) = (domain for domain in DOMAINS if domain.name == "secure_client")
ROOT = Path(__file__).resolve().parents[2]
SHOWN_BY = ("complain", "print", "_print_news", "announce")
"""Functions that show a sentence to a person."""


def test_both_programs_speak_the_same_languages() -> None:
    """Each has a catalog, and the server and its client agree on the list."""
    assert ("en", *LANGUAGES) == i18n.LANGUAGES == server_i18n.LANGUAGES


def unmarked() -> Iterator[str]:
    """Every sentence that is raised or shown and is no call of `_`: where it is, and its source.

    AttributeError and TypeError are a programmer's mistakes, told in Python's own words; what a ScramError means is
    said by whoever catches it.
    """
    for path in CLIENT.files():
        if path.is_relative_to(ROOT / "secure_protocol"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            raised = name.endswith("Error") and name not in ("AttributeError", "TypeError", "ScramError")
            if (raised or name in SHOWN_BY or name == "getpass") and _is_prose(node.args[0]):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node.args[0])}"
            for keyword in node.keywords:
                if keyword.arg in ("help", "epilog", "metavar") and _is_prose(keyword.value):
                    yield f"{path.name}:{node.lineno}: {ast.unparse(keyword.value)}"


def _is_prose(node: ast.expr) -> bool:
    """Whether an expression is a literal with words in it; in an f-string, outside of what it fills in."""
    if isinstance(node, ast.JoinedStr):
        return any(map(_is_prose, node.values))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and any(map(str.isalpha, node.value))


def test_no_sentence_is_left_out() -> None:
    """What is raised, shown, or told by --help goes through the catalog; msgspec's and OSError's words are theirs."""
    assert [place for place in unmarked() if "OSError" not in place and "HostUnreach" not in place] == []


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_sentence_can_be_formatted(language: str) -> None:
    """In each language each sentence takes its values, and they all show."""
    translate = translator(language)
    for message in extract(CLIENT):
        assert isinstance(message.id, str)
        if not message.id:
            continue
        names = {name.partition("!")[0] for name in placeholders(message.id)}
        values: dict[str, Any] = {name: f"<{name}>" for name in names}
        shown = translate(message.id).format(**values)
        assert all(f"<{name}>" in shown for name in names), shown


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "pt_BR.UTF-8"}, "pt_BR"),
        ({"LANG": "pt_PT.UTF-8@euro"}, "pt_BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": ""}, "pt_BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses_the_language(environment: dict[str, str], language: str) -> None:
    """LC_ALL before LC_MESSAGES before LANG, as POSIX has it; what nobody translated is English."""
    assert chosen(environment) == language


@pytest.fixture
def portuguese(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for Portuguese."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")


def test_errors_speak_portuguese(portuguese: None) -> None:
    """Those of the library as well; their codes do not."""
    with pytest.raises(SetupError, match=r"^`a b` não é um endereço: escreva HOST:PORTA"):
        Endpoint.parse("a b")
    with pytest.raises(AuthenticationError, match="Isto não é um token: um token começa com scs_") as failure:
        parse_token("nonsense")
    assert failure.value.code == "REFUSED"
    lost = may_have_run(ConnectionLostError("Perdida."))
    assert str(lost).startswith("Perdida; o comando foi enviado e pode ter sido executado")


def test_what_is_not_in_the_catalog_stays_as_it_is(portuguese: None) -> None:
    """And the empty sentence stays empty, instead of the catalog's header."""
    assert _("Nobody translated this.") == N_("Nobody translated this.") == "Nobody translated this."
    assert _("") == ""


def test_a_catalog_that_is_missing_leaves_english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without its catalogs still speaks."""
    monkeypatch.setattr(i18n, "_LOCALE_DIR", tmp_path)
    assert translator.__wrapped__("pt_BR")("You left.") == "You left."


@pytest.mark.parametrize("arguments", [("--help",), ("profile", "--help"), ("profile", "add", "--help")])
def test_help_speaks_portuguese_throughout(arguments: tuple[str, ...]) -> None:
    """The texts of help, and click's own words around them; in Portugal's locale too."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_client", *arguments],
        cwd=ROOT, env={"PATH": "", "LC_ALL": "pt_PT.UTF-8", "PYTHONUTF8": "1"},
        capture_output=True, encoding="utf-8", timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Uso:")
    for english in ("Usage", "Options", "Commands", "OPTIONS", "FILE", "Show ", "Print", " the ", " or "):
        assert english not in done.stdout
