"""From stranger to principal: AUTH, HELLO, RESET, WHOAMI."""

from __future__ import annotations

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token
from secure_server import __version__
from secure_server.auth.principal import Principal, Role
from secure_server.commands.builtin.statistics import REDIS_VERSION
from secure_server.session.state import State
from tests.secure_server.host import Host


@pytest.mark.parametrize("form", ["AUTH {token}", "AUTH ada {token}", "AUTH default {token}", "auth '{token}'"])
def test_a_good_token_authenticates(host: Host, form: str) -> None:
    """In both of Redis' forms; the log has the token's public id alone."""
    token, session = host.token(), host.session()
    assert host.ask(session, form.format(token=token.reveal())) == "OK\n"
    assert session.state is State.AUTHENTICATED
    assert host.ask(session, "WHOAMI") == "ada (user)\n"
    assert host.authentications == [("accepted", f"token={token.id}")]
    assert token.secret not in repr(host.authentications)


def test_refusals_all_sound_alike_and_the_log_knows_why(host: Host) -> None:
    """Unknown, wrong secret, revoked and wrong name: the peer learns only that it was refused."""
    good, gone = host.token("ada"), host.token("bob")
    host.revoke("bob")
    other = Token.generate()
    forged = Token(good.id, other.secret)
    for presented in (other.reveal(), forged.reveal(), gone.reveal(), f"eve {good.reveal()}"):
        assert host.ask(host.session(), f"AUTH {presented}") == "ERROR: WRONGPASS The token was refused.\n"
    reasons = [detail.split()[0] for _, detail in host.authentications]
    assert reasons == ["unknown", "wrong-secret", "revoked", "wrong-name"]
    assert not any(secret in repr(host.authentications) for secret in (good.secret, other.secret, gone.secret))


def test_what_is_no_token_is_told_why_and_never_repeated(host: Host) -> None:
    """A typing error is found offline; what was typed, perhaps a password, is not echoed or logged."""
    answer = host.ask(host.session(), "AUTH hunter2")
    assert answer.startswith("ERROR: WRONGPASS Not a token: ")
    assert "hunter2" not in answer + repr(host.authentications)
    assert host.authentications == [("refused", "malformed")]


@pytest.mark.parametrize("kind", ["malformed", "unknown"])
def test_the_third_refused_token_closes(host: Host, kind: str) -> None:
    """Two typing errors are forgiven; a RESET in between is refused and does not make it more."""
    session = host.session()
    for _ in range(2):
        host.ask(session, "AUTH " + ("wrong" if kind == "malformed" else Token.generate().reveal()))
        assert not session.closing
        assert host.ask(session, "RESET").startswith("ERROR: NOAUTH")
    answer = host.ask(session, "AUTH wrong")
    assert answer.startswith("ERROR: WRONGPASS")
    assert session.close_reason is CloseReason.AUTH_FAILED
    assert len(host.authentications) == 3


def test_a_pipeline_of_guesses_gets_three(host: Host) -> None:
    """However many come in one read."""
    session = host.session()
    assert host.send(session, b"AUTH wrong\n" * 50).count(b"WRONGPASS") == 3
    assert session.close_reason is CloseReason.AUTH_FAILED


def test_nobody_authenticates_twice(host: Host) -> None:
    """Another principal needs another connection; the refusal costs no attempt."""
    session = host.user("ada")
    answer = host.ask(session, f"AUTH {host.token('bob').reveal()}")
    assert answer == "ERROR: Already authenticated as ada; open another connection to be somebody else.\n"
    assert host.ask(session, "WHOAMI") == "ada (user)\n"
    assert session.attempts == 0


def test_a_token_revoked_in_the_moment_of_authentication_ends_the_session(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is admitted is looked at once more."""
    token, session = host.token(), host.session()
    first_look = host.authenticator.authenticate

    def revoked_just_after(credential: Token, *, name: str | None, address: str) -> Principal:
        principal = first_look(credential, name=name, address=address)
        host.revoke("ada")
        return principal

    monkeypatch.setattr(host.authenticator, "authenticate", revoked_just_after)
    host.ask(session, f"AUTH {token.reveal()}")
    assert session.close_reason is CloseReason.REVOKED


def test_hello_switches_authenticates_and_names_in_one_step(host: Host) -> None:
    """The reply is already RESP3, with Redis' fields and ours."""
    token, session = host.token(), host.session()
    reply = host.call(session, "HELLO", "3", "AUTH", "ada", token.reveal(), "SETNAME", "laptop").decode()
    assert reply.startswith("%13\r\n")
    assert "$5\r\nproto\r\n:3\r\n" in reply
    assert "$9\r\nuser-role\r\n$4\r\nuser\r\n" in reply
    assert (session.codec.version, session.client_name, session.state) == (3, "laptop", State.AUTHENTICATED)
    assert host.call(session, "HELLO").startswith(b"%13\r\n")
    assert host.call(session, "HELLO", "2").startswith(b"*26\r\n")
    assert f"redis_version:{REDIS_VERSION}\r\n".encode() in host.call(session, "INFO", "server")
    assert f"$7\r\nversion\r\n$5\r\n{REDIS_VERSION}\r\n" in reply
    assert f"$14\r\nserver-version\r\n${len(__version__)}\r\n{__version__}\r\n" in reply
    assert reply.endswith(
        "$14\r\nargument-bytes\r\n:524288\r\n$13\r\nrequest-bytes\r\n:1048576\r\n$10\r\ncompletion\r\n$4\r\ntold\r\n"
    )
    assert session.client_name == "laptop"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "-NOAUTH HELLO needs an authenticated client; send HELLO <version> AUTH <name> <token>."),
        ("3", "-NOAUTH HELLO needs an authenticated client; send HELLO <version> AUTH <name> <token>."),
        ("4", "-NOPROTO Protocol version 4 is not 2 or 3."),
        ("3 AUTH ada", "-ERR HELLO takes AUTH name token and SETNAME name."),
        ("3 SETNAME", "-ERR HELLO takes AUTH name token and SETNAME name."),
        ("3 COLOUR red", "-ERR HELLO takes AUTH name token and SETNAME name."),
        ("3 AUTH ada wrong", "-WRONGPASS Not a token: "),
        ("3 AUTH ada TOKEN SETNAME a\x1bb", "-ERR A client's name has at most 64 printable ASCII characters"),
    ],
)
def test_hello_does_all_or_nothing(host: Host, words: str, said: str) -> None:
    """A refused part changes neither version nor name nor principal."""
    session = host.session()
    asked = words.replace("TOKEN", host.token().reveal()).split(" ") if words else []
    assert host.call(session, "HELLO", *asked).decode().startswith(said)
    assert (session.codec.version, session.client_name, session.state) == (2, "", State.UNAUTHENTICATED)


def test_reset_makes_a_stranger_and_the_token_works_again(host: Host) -> None:
    """What was set is forgotten, and the commands are closed again."""
    token, session = host.token().reveal(), host.session()
    host.call(session, "HELLO", "3", "AUTH", "ada", token, "SETNAME", "x")
    assert host.call(session, "RESET") == b"+RESET\r\n"
    assert (session.codec.version, session.client_name, session.role) == (2, "", Role.NOBODY)
    assert host.call(session, "PING").startswith(b"-NOAUTH")
    assert host.call(session, "AUTH", token) == b"+OK\r\n"


def test_reset_returns_to_the_first_language(host: Host) -> None:
    """What LANG chose is forgotten with the rest."""
    session = host.user()
    host.ask(session, "LANG pt_BR")
    assert host.ask(session, "ECHO") == "ECHO: Comando recebido com sucesso.\n"
    host.ask(session, "RESET")
    assert session.language == "en"


def test_a_token_that_is_no_text_counts_as_a_try_and_is_not_echoed(host: Host) -> None:
    """Bytes that are not UTF-8 could be a mangled token: refused like any other, three times at most."""
    session = host.session()
    for _ in range(3):
        reply = host.call(session, "AUTH", b"scs_\xff\xfe_secret")
        assert reply.startswith(b"-WRONGPASS")
        assert b"secret" not in reply
    assert session.close_reason is CloseReason.AUTH_FAILED


def test_whoami_in_both_forms(host: Host) -> None:
    """Name and role for people, the name alone for Redis' clients; the admin socket has a name, too."""
    session = host.user("ada", Role.OPERATOR)
    assert host.ask(session, "WHOAMI") == "ada (operator)\n"
    assert host.ask(session, "ACL WHOAMI") == "ada\n"
    assert host.ask(host.local(), "WHOAMI") == "local:root (admin)\n"
