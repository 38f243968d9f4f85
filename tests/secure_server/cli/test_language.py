"""What a person reads from `secure-server` is in the language of the environment; programs read what they always do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_protocol.sentence import Sentence
from secure_server.cli import main
from secure_server.i18n import _, shown
from tests.integration.program import refused

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0
BRAZILIAN = {"LC_ALL": "pt_BR.UTF-8"}
SHOWN_BY = ("click.echo", "click.UsageError", "click.ClickException")
"""Calls that show a sentence to a person."""
RAISED = (
    *("ConfigError", "StartError", "LoadingError"),
    *("DeclarationError", "SignatureError", "DuplicateCommandError"),
    *("TokenRequestError", "NameTakenError", "TokenNotFoundError", "StorageError"),
    *("CertificateProblem", "InvalidNameError", "UnusableFilesError", "VerificationFailedError"),
)
"""Errors that the program's commands show."""
FOR_PROGRAMS = ("listening on ",)
"""Programs that start the server wait for this line."""


def run(*words: str, **variables: str) -> Result:
    """Run `secure-server WORDS` for a Brazilian, or with other variables."""
    return CliRunner().invoke(main, words, env={**BRAZILIAN, **variables}, prog_name="secure-server")


def test_tokens_are_listed_in_portuguese(tmp_path: Path) -> None:
    """The sentence where there are none, the headings and the states where there are; JSON is for programs."""
    data = ["--data-dir", str(tmp_path / "data")]
    assert run("token", "list", *data).stderr.startswith("Não há tokens em ")
    made = run("token", "create", "bia", *data)
    assert "Mostrado uma única vez" in made.stderr
    table = run("token", "list", *data).stdout
    assert all(word in table for word in ("nome", "papel", "criado em", "nunca", "ativo"))
    (record,) = json.loads(run("token", "list", "--json", *data).stdout)
    assert (record["state"], record["name"]) == ("active", "bia")
    again = run("token", "create", "bia", *data)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr.startswith("Erro: bia tem um token ativo; ")
    assert run("token", "revoke", "bia", *data).stdout.startswith("revogado ")


def test_a_lifetime_that_is_none_is_refused_in_portuguese(tmp_path: Path) -> None:
    """Usage and reason, the option parser's own words too."""
    done = run("token", "create", "bia", "--expires", "3", "--data-dir", str(tmp_path))
    assert done.exit_code == 2
    assert "Uso: " in done.stderr
    assert "Erro: uma validade é um número inteiro e uma unidade" in done.stderr


def test_a_command_that_cannot_be_is_explained_in_portuguese(certificates: Path, tmp_path: Path) -> None:
    """A sentence inside a sentence is translated, too."""
    config = tmp_path / "server.toml"
    config.write_text('[commands.DISK]\nrun = ["df", "{path}"]\n')
    words = ["--config", str(config), "--certs-dir", str(certificates), "--data-dir", str(tmp_path / "data")]
    said = refused(*words, "--port", "0", **BRAZILIAN)
    assert ".run: {path} não está declarado; acrescente arguments.path" in said


def test_a_server_without_a_certificate_says_so_in_portuguese(tmp_path: Path) -> None:
    """With the command that mends it."""
    said = refused("--certs-dir", str(tmp_path / "none"), "--data-dir", str(tmp_path / "data"), **BRAZILIAN)
    assert said.startswith("secure-server: O certificado ")
    assert "não existe; execute `secure-server certs ensure --dir " in said


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("port = []", "listen.port: esperava-se um número inteiro de 0 a 65535; encontrou-se uma lista."),
        (
            'addresses = ["::1"]',
            (
                'listen.addresses: "::1" não é um endereço com porta (um endereço IPv6 fica entre colchetes); '
                'escreva como em ["127.0.0.1:5000", "[::1]:5000"].'
            ),
        ),
    ],
)
def test_a_wrong_configuration_is_refused_in_portuguese(tmp_path: Path, line: str, sentence: str) -> None:
    """The key stays; what was expected, what was found and why it cannot be are said in Portuguese."""
    path = tmp_path / "server.toml"
    path.write_text(f"[listen]\n{line}\n", encoding="utf-8")
    assert refused("--config", str(path), **BRAZILIAN) == f"secure-server: A configuração {path}: {sentence}"


def test_certificates_are_reported_in_portuguese(tmp_path: Path) -> None:
    """Made, renewed with the reason, verified; and a host that is none."""
    where = ["--dir", str(tmp_path / "certs")]
    made = run("certs", "ensure", *where).stdout
    assert "criado (válido até 20" in made
    assert "verificado" in made
    renewed = run("certs", "ensure", *where, "--host", "new.test").stdout
    assert "renovado: new.test não está nele (válido até 20" in renewed
    assert "mantido" in renewed
    done = run("certs", "ensure", *where, "--host", "a/b")
    assert done.stderr.startswith("Erro: 'a/b' é uma URL ou uma rede; ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("token", "create"),
        *(pytest.param(words, marks=pytest.mark.long) for words in (("run",), ("certs", "ensure"), ("admin",))),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_help_is_in_portuguese(words: tuple[str, ...]) -> None:
    """Headings, placeholders and the option that shows it; by a process, which reads its language at its start."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_server", *words, "--help"],
        cwd=ROOT, env={**os.environ, **BRAZILIAN, "PYTHONUTF8": "1"},
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    told = done.stdout
    assert told.startswith("Uso: ")
    assert all(word in told for word in ("[OPÇÕES]", "Opções:", "Mostra esta mensagem e sai."))
    assert not any(word in told for word in ("Usage", "Options", "default:", "DIRECTORY", " the "))


def test_another_environment_has_english(tmp_path: Path) -> None:
    """LC_ALL decides over LANG."""
    listed = run("token", "list", "--data-dir", str(tmp_path), LC_ALL="C.UTF-8", LANG="pt_BR.UTF-8")
    assert listed.stderr.startswith("There are no tokens in ")


def test_the_language_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked up at each call; the error itself stays English, for logs."""
    error = ValueError(Sentence("{file} is missing", file="ca-key.pem"))
    assert (_("never"), shown(error)) == ("never", "ca-key.pem is missing")
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    assert (_("never"), shown(error)) == ("nunca", "ca-key.pem não existe")
    assert str(error) == "ca-key.pem is missing"


def unmarked(folder: Path) -> Iterator[str]:
    """Every sentence that is raised, shown or told by --help and does not go through the catalog."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if ast.unparse(node.func) in (*SHOWN_BY, *RAISED) and _is_prose(node.args[0]):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node.args[0])}"
            for keyword in node.keywords:
                if keyword.arg == "help" and _is_prose(keyword.value):
                    yield f"{path.name}:{node.lineno}: {ast.unparse(keyword.value)}"


def _is_prose(node: ast.expr) -> bool:
    """Whether an expression is a literal with words in it; in an f-string, outside of what it fills in."""
    if isinstance(node, ast.JoinedStr):
        return any(map(_is_prose, node.values))
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in FOR_PROGRAMS:
        return False
    return any(map(str.isalpha, node.value.removeprefix("secure-server: ")))


def test_no_sentence_is_left_out() -> None:
    """What `secure-server` shows and raises goes through the catalog."""
    assert list(unmarked(ROOT / "secure_server")) == []


def test_a_sentence_that_is_left_out_is_found(tmp_path: Path) -> None:
    """The check above can fail."""
    (tmp_path / "new.py").write_text(
        'click.echo(f"gone {name}")\nclick.option("-x", help="Leave.")\n', encoding="utf-8"
    )
    assert list(unmarked(tmp_path)) == ["new.py:1: f'gone {name}'", "new.py:2: 'Leave.'"]
