"""The way in: a token, a link, a certificate; and what is said where it stays shut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import Tokens
from secure_server.pki.ensure import Request, ensure
from secure_server.server import DATABASE
from tests.browser import chromium
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor, miscopied
from tests.integration.running import Running, eventually
from tests.terminal.fault_proxy import FaultProxy

pytestmark = pytest.mark.long


def link(running: Running, name: str = "ada") -> Token:
    """Make a token that is exchanged for a lasting one, as `token create --web` does."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        token = Tokens(storage).create(name, use=TokenUse.ENROLMENT)
    eventually(lambda: running.server._authenticator.state(token.id) is TokenState.ACTIVE)
    return token


def secret(token: str) -> str:
    """Return the part that nobody else may know."""
    return token.split("_")[2]


def test_a_token_signs_in_and_stays_in_memory(visitor: Visitor, served: Running) -> None:
    """Nothing that outlives the page has it, nor anything that can be looked at; a reload asks for it again."""
    assert visitor.page.evaluate("() => sockets.length") == 0  # no socket before a token is in hand
    visitor.sign_in(served.token())
    assert visitor.page.evaluate("() => sockets.length") >= 1
    assert [found.principal.name for found in served.server.sessions if found.principal] == ["user"]
    assert secret(served.token()) not in visitor.kept()
    assert not visitor.context.cookies()
    visitor.reload()
    visitor.asked_for_token()
    assert visitor.page.evaluate("() => sockets.length") == 0
    assert secret(served.token()) not in visitor.kept()


def test_a_person_signs_out(visitor: Visitor, served: Running) -> None:
    """The session ends, and another may sign in."""
    visitor.sign_in(served.token())
    visitor.button("Account: user").click()
    visitor.button("Sign out").click()
    visitor.asked_for_token()
    eventually(lambda: not list(served.server.sessions))
    visitor.sign_in(served.token(Role.ADMIN))
    visitor.button("Account: admin").wait_for()


def test_what_is_no_token_is_not_sent(visitor: Visitor, served: Running) -> None:
    """A typing error is found where it was made."""
    visitor.try_token(miscopied(served.token()))
    visitor.page.get_by_role("alert").get_by_text("This is no token").wait_for()
    assert visitor.page.evaluate("() => sockets.length") == 0
    visitor.sign_in(served.token())


def test_a_token_that_is_refused_is_explained(visitor: Visitor, served: Running) -> None:
    """With what may be the reason and what to do; the next one gets in."""
    with SQLiteTokenStorage(served.data / DATABASE) as storage:
        expired = Tokens(storage).create("brief", lifetime=0.001)
    for token in (Token.generate(), expired):
        visitor.try_token(token.reveal())
        said = visitor.page.get_by_role("alert")
        said.get_by_text("refused the token").wait_for()
        said.get_by_text("ask the administrator for a new one").wait_for()
    assert visitor.button("Sign in").is_enabled()
    visitor.sign_in(served.token())


def test_a_server_that_is_not_there_is_explained(visit: Visit, served: Running, proxy: FaultProxy) -> None:
    """No blank page, and no word of the token."""
    visitor = visit(proxy.port)
    visitor.open()
    visitor.allowed.append("ERR_CONNECTION_REFUSED")
    proxy.down()
    visitor.try_token(served.token())
    visitor.page.get_by_role("alert").get_by_text("The server cannot be reached").wait_for()
    proxy.up()
    visitor.sign_in(served.token())


def test_a_socket_that_does_not_open_is_explained(visitor: Visitor, served: Running) -> None:
    """Where the page came and its socket did not, as behind a proxy, or in Safari past its warning."""
    visitor.allowed.append("WebSocket connection to")
    visitor.context.route_web_socket("**/v1/session", lambda socket: socket.close(code=1006))
    visitor.reload()
    visitor.try_token(served.token())
    said = visitor.page.get_by_role("alert")
    said.get_by_text("its connection did not open").wait_for()
    said.get_by_text("web.origins").wait_for()
    said.get_by_text("CA certificate").first.wait_for()


def test_a_link_is_exchanged_and_spent_by_the_login_alone(visitor: Visitor, served: Running) -> None:
    """It is out of the address before any socket opens; a reload in the middle locks nobody out."""
    token = link(served)
    address = f"#enroll={token.reveal()}"
    visitor.page.goto("about:blank")
    visitor.open(address)
    field = visitor.page.get_by_label("Token", exact=True)
    visitor.page.get_by_role("heading", name="Save your token").wait_for()
    first = field.input_value()
    assert Token.parse(first).id != token.id
    assert visitor.page.evaluate("() => sockets.length && sockets.every((at) => !at.includes('enroll'))")
    assert "enroll" not in visitor.page.url
    assert secret(token.reveal()) not in visitor.kept()
    visitor.page.goto("about:blank")  # gone before anything was saved
    visitor.open(address)
    visitor.page.get_by_role("heading", name="Save your token").wait_for()
    kept = field.input_value()
    assert kept != first
    visitor.button("I have saved it: sign in").click()
    visitor.connected()
    visitor.button("Account: ada").wait_for()
    assert secret(kept) not in visitor.kept()
    visitor.page.goto("about:blank")
    visitor.open(address)
    visitor.page.get_by_role("heading", name="This link does not work").wait_for()
    visitor.page.get_by_role("alert").get_by_text("ask the administrator for a new one").wait_for()
    visitor.button("Use a token").click()
    visitor.sign_in(kept)


def test_a_link_may_be_pasted(visitor: Visitor, served: Running) -> None:
    """Where others paste a token."""
    visitor.try_token(f"{visitor.origin}/#enroll={link(served).reveal()}")
    visitor.button("I have saved it: sign in").click()
    visitor.connected()


def test_a_token_can_be_saved(visitor: Visitor, served: Running) -> None:
    """As a file and by the clipboard, and as a form that password managers know."""
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open(f"#enroll={link(served, 'bob').reveal()}")
    token = visitor.page.get_by_label("Token", exact=True).input_value()
    visitor.button("Copy").click()
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == token
    with visitor.page.expect_download() as saved:
        visitor.button("Save as a file").click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").strip() == token
    form = visitor.page.locator("form")
    assert form.locator("[autocomplete=username]").input_value() == "bob"
    assert form.locator("[type=password][autocomplete$=-password]").input_value() == token


@contextmanager
def with_certificate(driver: chromium.Driver, place: Path, wanted: str) -> Iterator[tuple[Running, Visitor]]:
    """Start a server that asks for certificates, and a browser that has one."""
    ensure(Request(place / "pki", clients=("alice",)))
    key = load_pem_private_key((place / "pki" / "client-alice-key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((place / "pki" / "client-alice.pem").read_bytes())
    bundle = place / "alice.p12"
    password = "made up"
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"alice",
            key,  # type: ignore[arg-type] # of a kind that it takes
            certificate,
            None,
            BestAvailableEncryption(password.encode()),
        )
    )
    home = chromium.trusting(place / "home", place / "pki" / "ca.pem")
    chromium.take_in(home, bundle, password)
    settings: dict[str, object] = {
        "web": {"enabled": True},
        "tls": {"client_certificates": wanted},
        "certificates": {"alice": {"role": "operator"}},
    }
    with Running(place / "pki", place / "data", settings) as running:
        origin = f"https://localhost:{running.port}"
        directory = chromium.profile(place / "profile", origin)
        context = driver.launch_persistent_context(directory, **chromium.options(home))
        visitor = Visitor(context, origin)
        try:
            yield running, visitor
            assert not visitor.complaints()
        finally:
            context.close()


@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_a_certificate_signs_in(driver: chromium.Driver, tmp_path: Path, wanted: str) -> None:
    """Imported as a person does, and no token is asked for; a reload signs in again by a click."""
    with with_certificate(driver, tmp_path, wanted) as (running, visitor):
        visitor.open()
        visitor.button("Use this browser's certificate").click()
        visitor.connected()
        visitor.button("Account: alice").wait_for()
        assert [found.principal.name for found in running.server.sessions if found.principal] == ["alice"]


def test_without_a_certificate_it_is_said_so(visitor: Visitor) -> None:
    """What to do instead, too."""
    visitor.button("Use this browser's certificate").click()
    visitor.page.get_by_role("alert").get_by_text("showed no certificate").wait_for()
