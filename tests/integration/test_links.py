"""Links to the page: `token create --web` with the server up, and what the page's exchange makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_protocol.resp_requests import encode_request
from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord
from secure_server.cli.token import token as group
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.running import Running
from tests.integration.test_web import opened, taken

LINK = re.compile(r"(https://[^/]+)/#enroll=(scs_\w+)")


def create(running: Running, *arguments: str) -> Result:
    """Run `token create ada ARGUMENTS` beside the server."""
    places = ["--data-dir", str(running.data), "--certs-dir", str(running.ca.parent)]
    return CliRunner().invoke(group, ["create", "ada", *arguments, *places])


def split(text: str) -> tuple[str, Token]:
    """Return the address and the token of a link."""
    found = LINK.fullmatch(text.strip())
    assert found is not None, text
    return found[1], Token.parse(found[2])


def record_of(running: Running) -> TokenRecord:
    """Return the one token of `ada`."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        (record,) = (item for item in storage.load_all() if item.name == "ada")
    return record


def test_a_link_beside_the_running_server(server: ServerFactory) -> None:
    """It leads to the port in use, by a name of the certificate; the server says that there is a page."""
    running = server(web={"enabled": True})
    done = create(running, "--web", "--role", "operator", "--expires", "30d")
    assert done.exit_code == 0, done.output
    address, token = split(done.stdout)
    assert address == f"https://localhost:{running.port}"
    record = record_of(running)
    assert (record.id, record.use, record.role) == (token.id, TokenUse.ENROLMENT, Role.OPERATOR)
    assert (record.lifetime, round((record.expires or 0) - record.created)) == (30 * 86400, 3600)
    assert "Good once, until " in done.stderr
    assert "works on this machine alone" in done.stderr


def test_it_signs_in_as_the_page_does(server: ServerFactory) -> None:
    """The token is taken over WebSocket, and exchanged; the link is spent by the login with the lasting one."""
    running = server(web={"enabled": True})
    _, token = split(create(running, "--web").stdout)
    with opened(running) as page:
        page.send(encode_request([b"AUTH", token.reveal().encode()]))
        assert taken(page) == b"+OK\r\n"
        page.send(encode_request([b"ENROLL"]))
        assert b"scs_" in taken(page)


def test_the_running_server_answers_a_link(server: ServerFactory) -> None:
    """The same, of the same time; and no token for what cannot be."""
    running = server(web={"enabled": True})
    with running.text(running.token(Role.ADMIN)) as root:
        assert "give one of them" in root.ask("TOKEN CREATE ada --web --enroll")
        assert "a lifetime is" in root.ask("TOKEN CREATE ada --web --within soon")
        address, token = split(root.ask("TOKEN CREATE ada --web --host 127.0.0.1"))
    assert address == f"https://127.0.0.1:{running.port}"
    record = record_of(running)
    assert (record.id, round((record.expires or 0) - record.created)) == (token.id, 3600)


def test_behind_a_proxy(server: ServerFactory) -> None:
    """The running server knows where browsers find it; a host that is said goes before."""
    running = server(web={"enabled": True, "url": "https://ops.example.org/"})
    with running.text(running.token(Role.ADMIN)) as root:
        assert split(root.ask("TOKEN CREATE bob --web"))[0] == "https://ops.example.org"
    assert split(create(running, "--web").stdout)[0] == "https://ops.example.org"
    with running.text(running.token(Role.ADMIN)) as root:
        said = root.ask(f"TOKEN CREATE carol --web --host localhost --port {running.port}")
    assert split(said)[0] == f"https://localhost:{running.port}"


def test_without_the_page_there_is_no_link(server: ServerFactory, tmp_path: Path) -> None:
    """One sentence, and no token; what runs counts, whatever a file says."""
    running = server()
    config = tmp_path / "server.toml"
    config.write_text("[web]\nenabled = true\n", encoding="utf-8")
    done = create(running, "--web", "--config", str(config))
    assert done.exit_code == 2
    assert "The page is off, so a link would lead nowhere" in " ".join(done.stderr.split())
    with running.text(running.token(Role.ADMIN)) as root:
        assert root.ask("TOKEN CREATE ada --web").startswith("ERROR: The page is off")
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        assert not [item for item in storage.load_all() if item.name == "ada"]


def test_json(server: ServerFactory) -> None:
    """For programs."""
    running = server(web={"enabled": True})
    done = create(running, "--web", "--json", "--quiet")
    assert done.stderr == ""
    told = json.loads(done.stdout)
    _, token = split(told.pop("url"))
    assert told == {"id": token.id, "name": "ada", "role": "user"}


@pytest.mark.parametrize("allowed", [True, False])
def test_scram_alone_and_the_page(server: ServerFactory, *, allowed: bool) -> None:
    """With `web.bearer` a token comes whole over WebSocket, and over nothing else."""
    running = server(
        web={"enabled": True, "bearer": True} if allowed else {"enabled": False},
        authentication={"mechanisms": "scram"},
    )
    with running.text(None) as stranger:
        assert "authenticate by SCRAM" in stranger.ask(f"AUTH {running.token()}")
    if allowed:
        with opened(running) as page:
            page.send(encode_request([b"AUTH", running.token().encode()]))
            assert taken(page) == b"+OK\r\n"
