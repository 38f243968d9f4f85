"""`secure-server token create --once`, `--enroll` and `--web`."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from secure_protocol.enrolment import Enrolment
from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord
from secure_server.cli.token import token as group


def run(data: Path, *arguments: str) -> Result:
    """Run `token create ARGUMENTS` in this process."""
    return CliRunner().invoke(group, ["create", *arguments, "--data-dir", str(data)])


def enrol(data: Path, certificates: Path, *arguments: str) -> Result:
    """The same with `--enroll`."""
    return run(data, *arguments, "--enroll", "--certs-dir", str(certificates))


def records(data: Path) -> list[TokenRecord]:
    """What is in the database."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return storage.load_all()


def url(result: Result) -> Enrolment:
    """What the printed line says, read as a shell does."""
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    program, word, text = shlex.split(line)
    assert (program, word) == ("secure-client", "enroll")
    return Enrolment.parse(text)


def test_a_token_for_one_login(tmp_path: Path) -> None:
    """The record says so, and the person is told."""
    done = run(tmp_path, "ci", "--once")
    token = Token.parse(done.stdout)
    assert [(item.id, item.use) for item in records(tmp_path)] == [(token.id, TokenUse.ONCE)]
    assert "Good for one login" in done.stderr


def test_a_line_with_a_lasting_token(tmp_path: Path, certificates: Path) -> None:
    """Address, the CA's fingerprint, the token; the person is told what the line is."""
    done = enrol(tmp_path, certificates, "ada", "--role", "operator", "--expires", "30d")
    said, (record,) = url(done), records(tmp_path)
    ca = x509.load_pem_x509_certificate((certificates / "ca.pem").read_bytes())
    assert (said.host, said.port, said.pin) == ("127.0.0.1", 5000, ca.fingerprint(hashes.SHA256()))
    assert (record.id, record.use, record.role) == (said.token.id, TokenUse.LASTING, Role.OPERATOR)
    assert record.expires == record.created + 30 * 86400
    assert "holds the token itself" in done.stderr
    assert "works on this machine alone" in done.stderr
    assert f"secure-server token revoke {record.id}" in done.stderr


def test_a_line_that_is_good_once(tmp_path: Path, certificates: Path) -> None:
    """For a day unless said otherwise; `--expires` is of what it is exchanged for."""
    done = enrol(tmp_path, certificates, "ada", "--once", "--host", "localhost", "--port", "7000", "--expires", "30d")
    assert (url(done).host, url(done).port) == ("localhost", 7000)
    (record,) = records(tmp_path)
    assert (record.use, record.lifetime) == (TokenUse.ENROLMENT, 30 * 86400)
    assert record.expires == record.created + 86400
    assert "Good once, until " in done.stderr
    assert enrol(tmp_path, certificates, "bob", "--once", "--within", "1h").exit_code == 0
    assert [item.expires and item.expires - item.created for item in records(tmp_path)] == [86400, 3600]


def test_quiet_prints_the_line_alone(tmp_path: Path, certificates: Path) -> None:
    """For scripts."""
    done = enrol(tmp_path, certificates, "ada", "--once", "--quiet")
    assert url(done)
    assert done.stderr == ""


def test_a_name_that_the_certificate_lacks_is_said(tmp_path: Path, certificates: Path) -> None:
    """With the command that adds it; the line is made all the same."""
    done = enrol(tmp_path, certificates, "ada", "--once", "--host", "Build.Internal")
    assert url(done).host == "build.internal"
    assert "does not hold build.internal; add it with `secure-server certs ensure" in done.stderr


def test_an_ipv6_address(tmp_path: Path, certificates: Path) -> None:
    """It stands in brackets."""
    done = enrol(tmp_path, certificates, "ada", "--once", "--host", "::1")
    assert "scs://[::1]:5000?" in done.stdout
    assert url(done).host == "::1"


def test_the_configuration_says_where(tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address, its port and its certificates; a server that listens everywhere is found by this machine's name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "box.internal")
    config = tmp_path / "server.toml"
    config.write_text(f'certs_dir = "{certificates}"\n[listen]\nhost = "0.0.0.0"\nport = 7001\n', encoding="utf-8")
    said = url(run(tmp_path / "data", "ada", "--enroll", "--once", "--config", str(config)))
    assert (said.host, said.port) == ("box.internal", 7001)
    config.write_text(f'certs_dir = "{certificates}"\n[listen]\nport = 0\n', encoding="utf-8")
    done = run(tmp_path / "data", "bob", "--enroll", "--config", str(config))
    assert done.exit_code == 2
    assert "give the one in use with --port" in done.stderr


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ([], ("192.0.2.7", 7001)),
        (["--host", "::1"], ("::1", 7002)),
        (["--host", "Box.Internal"], ("box.internal", 7003)),
        (["--host", "build.internal"], ("build.internal", 7001)),
        (["--host", "::1", "--port", "7004"], ("::1", 7004)),
    ],
)
def test_of_several_addresses_the_first_is_told(
    tmp_path: Path, certificates: Path, options: list[str], place: tuple[str, int]
) -> None:
    """Or the one that `--host` names, with its port."""
    config = tmp_path / "server.toml"
    addresses = '["192.0.2.7:7001", "[::1]:7002", "box.internal:7003"]'
    config.write_text(f'certs_dir = "{certificates}"\n[listen]\naddresses = {addresses}\n', encoding="utf-8")
    said = url(run(tmp_path / "data", "ada", "--enroll", "--once", "--config", str(config), *options))
    assert (said.host, said.port) == place


def test_of_several_addresses_the_first_may_stand_for_all(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then clients are told this machine's name; a port that the system chooses has to be said."""
    monkeypatch.setattr(socket, "gethostname", lambda: "box.internal")
    config = tmp_path / "server.toml"
    for port, code in ((7001, 0), (0, 2)):
        addresses = f'["[::]:{port}", "127.0.0.1:7002"]'
        config.write_text(f'certs_dir = "{certificates}"\n[listen]\naddresses = {addresses}\n', encoding="utf-8")
        done = run(tmp_path / f"data-{port}", "ada", "--enroll", "--once", "--config", str(config))
        assert done.exit_code == code
        assert ("scs://box.internal:7001?" in done.stdout) == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--once", "--within", "1h"], "--within is for --enroll --once"),
        (["--enroll", "--within", "1h"], "--within is for --enroll --once"),
        (["--host", "x"], "are for --enroll and --web"),
        (["--enroll", "--web"], "give one of them"),
        (["--web"], "The page is off"),
        (["--enroll", "--certs-dir", "nowhere"], "nowhere/ca.pem is missing"),
        (["--enroll", "--host", "https://x"], "is an URL"),
        (["--enroll", "--host", "::"], "is an address to listen on"),
        (["--enroll", "--once", "--within", "soon"], "a lifetime is"),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_token(tmp_path: Path, arguments: list[str], why: str) -> None:
    """Exit code 2, a sentence, and no token that nobody has."""
    done = run(tmp_path / "data", "ada", *arguments)
    assert done.exit_code == 2
    assert why in " ".join(done.stderr.split())
    assert not (tmp_path / "data" / "tokens.db").exists()


@pytest.fixture
def paged(tmp_path: Path, certificates: Path) -> Path:
    """A configuration with the page."""
    config = tmp_path / "server.toml"
    config.write_text(f'certs_dir = "{certificates}"\n[web]\nenabled = true\n', encoding="utf-8")
    return config


def linked(result: Result) -> tuple[str, Token]:
    """The address and the token of a printed link."""
    assert result.exit_code == 0, result.output
    address, _, text = result.stdout.strip().partition("/#enroll=")
    return address, Token.parse(text)


def test_a_link(tmp_path: Path, paged: Path) -> None:
    """With the server down: good for an hour unless said otherwise, and exchanged for a token of that kind."""
    done = run(tmp_path, "ada", "--web", "--role", "operator", "--expires", "30d", "--config", str(paged))
    address, token = linked(done)
    assert address == "https://localhost:5000"
    (record,) = records(tmp_path)
    assert (record.id, record.use, record.role) == (token.id, TokenUse.ENROLMENT, Role.OPERATOR)
    assert (record.lifetime, record.expires) == (30 * 86400, record.created + 3600)
    assert "Good once, until " in done.stderr
    assert "works on this machine alone" in done.stderr
    assert f"secure-server token revoke {record.id}" in done.stderr
    assert linked(run(tmp_path, "bob", "--web", "--within", "5m", "--config", str(paged)))
    assert [item.expires and item.expires - item.created for item in records(tmp_path)] == [3600, 300]


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (["--host", "box.test"], "https://box.test:5000"),
        (["--host", "127.0.0.1", "--port", "443"], "https://127.0.0.1"),
        (["--host", "::1", "--port", "7001"], "https://[::1]:7001"),
    ],
)
def test_a_link_to_another_place(tmp_path: Path, paged: Path, options: list[str], address: str) -> None:
    """As browsers write it; a name that the certificate lacks is said."""
    done = run(tmp_path, "ada", "--web", *options, "--config", str(paged))
    assert linked(done)[0] == address
    assert ("does not hold box.test" in done.stderr) == ("box.test" in address)


def test_a_link_to_the_page_behind_a_proxy(tmp_path: Path, paged: Path) -> None:
    """The configuration says where, and nothing is said of the certificate, which browsers do not see."""
    paged.write_text(paged.read_text(encoding="utf-8") + 'url = "https://ops.example.org"\n', encoding="utf-8")
    done = run(tmp_path, "ada", "--web", "--config", str(paged))
    assert linked(done)[0] == "https://ops.example.org"
    assert "certificate" not in done.stderr


def test_json(tmp_path: Path, certificates: Path, paged: Path) -> None:
    """Of a token, of a line, of a link: what was printed without it, and what names the token."""
    told = json.loads(run(tmp_path, "ada", "--json", "--role", "operator").stdout)
    assert (told["id"], told["name"], told["role"]) == (Token.parse(told["token"]).id, "ada", "operator")
    assert json.loads(enrol(tmp_path, certificates, "bob", "--json").stdout)["line"].startswith("secure-client enroll ")
    link = json.loads(run(tmp_path, "carol", "--web", "--json", "--config", str(paged)).stdout)
    assert link["url"].startswith("https://localhost:5000/#enroll=scs_")
    assert set(link) == {"id", "name", "role", "url"}
