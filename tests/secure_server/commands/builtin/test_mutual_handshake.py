"""AUTH by the mutual handshake: the real gate, admission, tokens and penalties, and the library's client."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scramp import ScramClient

from secure_protocol.reasons import CloseReason
from secure_protocol.scram import BINDING, MECHANISM
from secure_protocol.token import Token
from secure_server.admission.admission import ATTEMPTS
from secure_server.auth.principal import ClientCertificate, Principal, Role
from secure_server.auth.scram import end_point
from secure_server.auth.token_record import TokenRecord, digest_of
from secure_server.pki.preflight import CertificateFacts, check_pair
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host

REFUSED = "ERROR: WRONGPASS The token was refused."
PROVED = re.compile(r"v=[A-Za-z0-9+/]{43}=")


@pytest.fixture
def served(certificates: Path) -> CertificateFacts:
    """What the connections were served."""
    return check_pair(certificates / "server.pem", certificates / "server-key.pem", now=datetime.now(UTC))


class Stranger:
    """A client, as far as its messages go.

    Args:
        host: whom it talks to.
        token: what it shows.
        served: what its connection was served; None for no TLS.
    """

    def __init__(self, host: Host, token: Token, served: CertificateFacts | None) -> None:
        self.host = host
        self.session = host.session(served=served)
        self.session.peer = replace(self.session.peer, served=served)
        self.scram = ScramClient([MECHANISM], token.id, token.secret, (BINDING, self.binding(served)))

    @staticmethod
    def binding(served: CertificateFacts | None) -> bytes:
        """What it believes to be bound to."""
        return end_point(served.der) if served is not None else bytes(32)

    def say(self, message: str) -> str:
        """Send a message of the exchange."""
        return self.host.ask(self.session, f"AUTH {MECHANISM} {message}").removesuffix("\n")

    def first(self) -> str:
        """Take the first step."""
        return self.say(self.scram.get_client_first())

    def final(self, answer: str) -> str:
        """Take the second."""
        self.scram.set_server_first(answer)
        return self.say(self.scram.get_client_final())


def shown(host: Host, token: Token, served: CertificateFacts) -> tuple[str, Session]:
    """Go through the whole exchange on a connection of its own."""
    stranger = Stranger(host, token, served)
    return stranger.final(stranger.first()), stranger.session


def test_who_proves_a_token_is_let_in_and_the_server_proves_itself(host: Host, served: CertificateFacts) -> None:
    """As its owner, as with the token itself; nothing of it reaches the log but its id."""
    token = host.token()
    stranger = Stranger(host, token, served)
    answer = stranger.final(stranger.first())
    stranger.scram.set_server_final(answer)
    assert host.ask(stranger.session, "WHOAMI") == "ada (user)\n"
    assert host.authentications == [("accepted", f"token={token.id}")]
    assert stranger.session.exchange is None


@pytest.mark.parametrize("version", ["2", "3"])
def test_programs_get_the_messages_as_bulk_strings(host: Host, served: CertificateFacts, version: str) -> None:
    """Before HELLO as after; HELLO then asks for no token."""
    stranger = Stranger(host, host.token(), served)
    first = host.call(stranger.session, "AUTH", MECHANISM, stranger.scram.get_client_first())
    length, _, rest = first.partition(b"\r\n")
    assert length == b"$%d" % len(rest[:-2])
    stranger.scram.set_server_first(rest[:-2].decode())
    final = host.call(stranger.session, "auth", MECHANISM.lower(), stranger.scram.get_client_final())
    assert final.startswith(b"$46\r\nv=")
    assert host.call(stranger.session, "HELLO", version, "SETNAME", "me")[:1] in b"%*"


def test_refusals_all_come_at_the_end_and_sound_alike(host: Host, served: CertificateFacts) -> None:
    """Unknown, wrong secret, revoked, and a token without keys: the peer learns only that it was refused."""
    good, gone, old = host.token("ada"), host.token("bob"), Token.generate()
    host.revoke("bob")
    record = TokenRecord(old.id, "old", Role.USER, digest_of(old.secret), created=0.0)
    host._storage.add(record, beside_active=False)
    host.authenticator.reload()
    for token in (Token.generate(), Token(good.id, Token.generate().secret), gone, old):
        stranger = Stranger(host, token, served)
        answer = stranger.first()
        assert re.fullmatch(r"r=[!-+\--~]+,s=[A-Za-z0-9+/]{22}==,i=4096", answer)
        assert stranger.final(answer) == REFUSED
        assert host.authentications[-1][1].endswith(f" token={token.id}")
    reasons = [detail.split()[0] for _, detail in host.authentications]
    assert reasons == ["unknown", "wrong-secret", "revoked", "no-scram-keys"]


def test_an_unknown_id_has_the_same_salt_each_time(host: Host, served: CertificateFacts) -> None:
    """Else two questions would tell which ids there are."""
    unknown = Token.generate()
    salts = {Stranger(host, unknown, served).first().split(",")[1] for _ in range(2)}
    other = Stranger(host, Token.generate(), served).first().split(",")[1]
    assert len(salts) == 1
    assert other not in salts


def test_an_older_token_gets_its_keys_when_it_is_shown_whole(host: Host, served: CertificateFacts) -> None:
    """Its secret is there in that moment, and never again."""
    old = Token.generate()
    record = TokenRecord(old.id, "old", Role.USER, digest_of(old.secret), created=0.0)
    host._storage.add(record, beside_active=False)
    host.authenticator.reload()
    assert host.ask(host.session(), f"AUTH {old.reveal()}") == "OK\n"
    host.authenticator.flush()
    host.authenticator.reload()
    assert PROVED.fullmatch(shown(host, old, served)[0])
    generation = host._storage.change_stamp()
    assert host.ask(host.session(), f"AUTH {old.reveal()}") == "OK\n"
    host.authenticator.flush()
    assert host._storage.change_stamp() == generation


def test_a_relay_is_refused_and_told(host: Host, served: CertificateFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client was served another certificate than the server showed."""
    monkeypatch.setattr(Stranger, "binding", staticmethod(lambda _served: b"x" * 32))
    answer, session = shown(host, host.token(), served)
    assert answer == (
        "ERROR: WRONGPASS Somebody stands between us, or a certificate was mistaken: e=channel-bindings-dont-match"
    )
    assert session.principal is None
    assert host.authentications[-1][1].startswith("channel-bindings-dont-match token=")


def test_a_token_that_ends_between_the_two_messages_is_refused(host: Host, served: CertificateFacts) -> None:
    """What counts is the moment of the proof."""
    stranger = Stranger(host, host.token("ada"), served)
    answer = stranger.first()
    host.revoke("ada")
    assert stranger.final(answer) == REFUSED


def test_there_is_nothing_to_finish_before_a_beginning(host: Host, served: CertificateFacts) -> None:
    """Nor after an end: each exchange is good for one proof."""
    stranger = Stranger(host, Token(host.token().id, "0" * 43), served)
    sentence = "ERROR: There is no exchange to finish: begin with the client's first message."
    assert stranger.say("c=biws,r=x,p=eA==") == sentence
    stranger.final(stranger.first())
    assert stranger.say("c=biws,r=x,p=eA==") == sentence


def test_another_auth_drops_an_exchange(host: Host, served: CertificateFacts) -> None:
    """One at most is remembered, and no attempt at a token goes on with it."""
    stranger = Stranger(host, host.token(), served)
    answer = stranger.first()
    assert host.ask(stranger.session, f"AUTH {Token.generate().reveal()}") == f"{REFUSED}\n"
    assert stranger.final(answer).startswith("ERROR: There is no exchange")


def test_beginnings_without_an_end_are_bounded(host: Host, served: CertificateFacts) -> None:
    """Each that gives way to another counts as a try; nobody is given an endless number. It earns no penalty."""
    token = host.token()
    session = host.session(served=served)
    for number in range(ATTEMPTS + 1):
        assert not session.closing, number
        first = ScramClient([MECHANISM], token.id, token.secret, (BINDING, end_point(served.der))).get_client_first()
        host.ask(session, f"AUTH {MECHANISM} {first}")
    assert session.close_reason is CloseReason.AUTH_FAILED
    assert host.penalties.entries() == []


def test_three_failures_close_the_connection(host: Host, served: CertificateFacts) -> None:
    """As with tokens themselves."""
    session = host.session(served=served)
    for _ in range(ATTEMPTS):
        stranger = Stranger(host, Token.generate(), served)
        stranger.session = session
        assert stranger.final(stranger.first()).startswith(REFUSED)
    assert session.close_reason is CloseReason.AUTH_FAILED


def test_other_ids_escalate_and_the_same_one_does_not(host: Host, served: CertificateFacts) -> None:
    """A forgotten client that shows its dead token for ever locks nobody out, whether the id is known or not."""
    known = Token(host.token().id, Token.generate().secret)
    for token, failures in ((Token.generate(), 1), (known, 2), (Token.generate(), 3)):
        for _ in range(3):
            shown(host, token, served)
        assert [entry.failures for entry in host.penalties.entries()] == [failures]


def test_a_penalised_address_has_one_try_and_what_is_good_is_let_in(host: Host, served: CertificateFacts) -> None:
    """An unknown id looks like one that there is, in both steps; what is begun anew, or is no message, was the try."""
    good = host.token()
    for _ in range(host.penalties.needed):
        shown(host, Token.generate(), served)
    assert PROVED.fullmatch(shown(host, good, served)[0])
    for token in (Token.generate(), Token(good.id, Token.generate().secret)):
        stranger = Stranger(host, token, served)
        first = stranger.first()
        assert re.fullmatch(r"r=[!-+\--~]+,s=[A-Za-z0-9+/]{22}==,i=4096", first)
        assert stranger.final(first).startswith("ERROR: THROTTLED ")
        assert stranger.session.close_reason is CloseReason.THROTTLED
    unfinished = Stranger(host, good, served)
    unfinished.first()
    for stranger in (unfinished, Stranger(host, good, served)):
        assert stranger.say("rubbish").startswith("ERROR: THROTTLED ")
        assert stranger.session.close_reason is CloseReason.THROTTLED
    assert [detail.split()[1] for _, detail in host.authentications[-2:]] == ["unfinished", "malformed"]
    assert host.penalties.entries()[0].failures == host.penalties.needed


@pytest.mark.parametrize("message", ["hello", "n,,n=ABCDEFGHIJ,r=x", "p=tls-unique,,n=ABCDEFGHIJ,r=x"])
def test_what_is_no_message_is_a_try(host: Host, served: CertificateFacts, message: str) -> None:
    """The answer has RFC 5802's word, and nothing of what was sent; another dialect costs one penalty, not one each."""
    for _ in range(2):
        answer = Stranger(host, Token.generate(), served).say(message)
        assert re.fullmatch(rf"ERROR: WRONGPASS Not the first message of {MECHANISM}: e=[a-z-]+", answer)
    assert [entry.failures for entry in host.penalties.entries()] == [1]


def test_without_tls_there_is_nothing_to_bind_to(host: Host) -> None:
    """It is said plainly, and no exchange begins."""
    answer = Stranger(host, host.token(), None).first()
    assert answer == f"ERROR: NOMECHANISM {MECHANISM} needs TLS, which this connection has not."


def test_the_admin_socket_needs_no_handshake(host: Host) -> None:
    """Whoever comes there is somebody already."""
    assert host.ask(host.local(), f"AUTH {MECHANISM} n").startswith("ERROR: Already authenticated as local:root")


def test_the_configuration_can_close_either_way(make_host: MakeHost, served: CertificateFacts) -> None:
    """With a code and a sentence; it is no guess, so it earns nothing."""
    strict, plain = (make_host(authentication={"mechanisms": mechanisms}) for mechanisms in ("scram", "bearer"))
    token = strict.token()
    plain.authenticator.reload()
    for line in (f"AUTH {token.reveal()}", f"AUTH ada {token.reveal()}"):
        answer = strict.ask(strict.session(), line)
        assert answer == f"ERROR: NOMECHANISM This server takes no token as it is: authenticate by {MECHANISM}.\n"
    hello = strict.call(strict.session(), "HELLO", "3", "AUTH", "default", token.reveal())
    assert hello.startswith(b"-NOMECHANISM ")
    assert PROVED.fullmatch(shown(strict, token, served)[0])
    assert strict.penalties.entries() == []
    answer = Stranger(plain, token, served).first()
    assert answer == f"ERROR: NOMECHANISM This server does not take {MECHANISM}: send AUTH <token>."
    assert plain.ask(plain.session(), f"AUTH {token.reveal()}") == "OK\n"


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "scram-sha-1-plus"])
def test_other_mechanisms_are_none(host: Host, name: str) -> None:
    """And are not taken for names of tokens."""
    answer = host.ask(host.session(), f"AUTH {name} {host.token().reveal()}")
    assert answer == f"ERROR: NOMECHANISM Of these mechanisms there is {MECHANISM} alone.\n"


def test_the_mechanism_alone_is_not_taken_for_a_token(host: Host) -> None:
    """It says what is missing."""
    answer = host.ask(host.session(), f"AUTH {MECHANISM}")
    assert answer == f"ERROR: {MECHANISM} needs a message: AUTH {MECHANISM} <message>.\n"


def test_whom_a_certificate_stands_for_may_prove_a_token_too(host: Host, served: CertificateFacts) -> None:
    """It is whoever the token says then; and RESET, which leads back, forgets an exchange that has begun."""
    stranger = Stranger(host, host.token("ada"), served)
    stranger.session.prove(Principal("ci", Role.USER, None, None, ClientCertificate("ci", "00", 0.0, 9e9)))
    answer = stranger.first()
    assert host.ask(stranger.session, "RESET") == "RESET\n"
    assert stranger.final(answer).startswith("ERROR: There is no exchange")
    again = Stranger(host, host.token("bob"), served)
    again.session = stranger.session
    assert PROVED.fullmatch(again.final(again.first()))
    assert host.ask(stranger.session, "WHOAMI") == "bob (user)\n"
