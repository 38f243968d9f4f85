"""TOKENS and TOKEN …: what an administrator can do with tokens in the running server."""

from __future__ import annotations

import re
import time

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.storage import Use
from secure_server.commands.builtin.access.tokens import TOKEN_COLUMNS
from tests.secure_server.host import Host, taken


def told(host: Host, name_or_id: str) -> dict[str, str]:
    """What TOKEN SHOW says of one token."""
    *lines, end = host.ask(host.local(), f"TOKEN SHOW {name_or_id}").splitlines()
    assert end == "."
    return dict(line.split(": ", 1) for line in lines)


def test_tokens_without_secrets_with_their_sessions(host: Host) -> None:
    """States, and how many sessions use each; a stranger and the admin socket use none."""
    admin = host.local()
    empty = host.ask(admin, "TOKENS").splitlines()
    assert empty == ["There are no tokens yet; make one with: secure-server token create NAME", "."]
    token = host.token("ada", Role.OPERATOR)
    host.token("bob")
    host.revoke("bob")
    host.session()
    for _ in range(2):
        host.ask(host.session(), f"AUTH {token.reveal()}")
    table = host.ask(admin, "TOKENS")
    header, ada, bob, end = table.splitlines()
    assert tuple(header.split()) == TOKEN_COLUMNS
    assert (ada.split()[:4], ada.split()[-1]) == ([token.id, "ada", "operator", "active"], "2")
    assert (bob.split()[1:4], bob.split()[-1]) == (["bob", "user", "revoked"], "0")
    assert end == "."
    assert token.secret not in table


def test_a_created_token_works_at_once(host: Host) -> None:
    """The answer is the token alone, and whoever has it gets in with the very next request."""
    answer = host.ask(
        host.local(),
        "TOKEN CREATE ada --role operator --allow echo,TIME --networks 127.0.0.0/8,::1 --expires 30d "
        "--max-sessions 2 --rate 10/s:50",
    )
    made = Token.parse(answer.removesuffix("\n"))
    assert host.ask(host.session(), f"AUTH {made.reveal()}") == "OK\n"
    shown = told(host, "ada")
    assert (shown["id"], shown["role"], shown["state"], shown["sessions"]) == (made.id, "operator", "active", "1")
    assert (shown["allow"], shown["networks"]) == ("ECHO,TIME", "127.0.0.0/8,::1/128")
    assert (shown["max_sessions"], shown["rate"], shown["use"]) == ("2", "10/s:50", "lasting")
    assert made.secret not in str(shown)


def test_revoking_ends_the_sessions_before_the_answer(host: Host) -> None:
    """Of that token alone, by id; by name of all that are left."""
    admin, old = host.local(), host.token("ada")
    first, second = host.session(), host.session()
    assert host.ask(first, f"AUTH {old.reveal()}") == "OK\n"
    new = Token.parse(host.ask(admin, "TOKEN ROTATE ada").removesuffix("\n"))
    assert host.ask(second, f"AUTH {new.reveal()}") == "OK\n"
    assert host.ask(admin, f"TOKEN REVOKE {old.id}").splitlines() == [f"revoked {old.id} ada", "."]
    while not host.handed_over.empty():
        host.turn()
    assert (first.close_reason, second.close_reason) == (CloseReason.REVOKED, None)
    assert host.ask(admin, "TOKEN REVOKE ada").splitlines() == [f"revoked {new.id} ada", "."]
    while not host.handed_over.empty():
        host.turn()
    assert second.close_reason is CloseReason.REVOKED


def test_it_is_seen_when_a_rotated_token_may_go(host: Host) -> None:
    """It is still used while it has sessions, and once it was used after the new one was made.

    Else it is not, but only once the new one was used: until then nobody has changed over.
    """
    old = host.token("ada")
    assert told(host, "ada")["still_used"] == "-"
    session = host.session()
    host.ask(session, f"AUTH {old.reveal()}")
    new = Token.parse(host.ask(host.local(), "TOKEN ROTATE ada --grace 24h").removesuffix("\n"))
    shown = told(host, old.id)
    assert (shown["replaced_by"], shown["still_used"]) == (new.id, "yes")
    assert shown["expires"] != "-"
    assert (told(host, new.id)["replaced_by"], told(host, new.id)["expires"]) == ("-", "-")
    host.sessions.remove(session)
    assert told(host, old.id)["still_used"] == "-"
    host._storage.touch([Use(new.id, 3_000_000_000.0, "192.0.2.1:5")])
    assert told(host, old.id)["still_used"] == "no"
    host._storage.touch([Use(old.id, 4_000_000_000.0, "192.0.2.1:5")])
    assert told(host, old.id)["still_used"] == "yes"
    assert "192.0.2.1:5" in host.ask(host.local(), "TOKENS")


def test_another_rotation_hides_no_use(host: Host) -> None:
    """Of three tokens, the oldest was used after the second was made, if before the third: it is still used."""
    old = host.token("ada")
    second = Token.parse(host.ask(host.local(), "TOKEN ROTATE ada").removesuffix("\n"))
    host._storage.touch([Use(old.id, time.time(), "192.0.2.1:5"), Use(second.id, time.time(), "192.0.2.1:6")])
    third = Token.parse(host.ask(host.local(), "TOKEN ROTATE ada").removesuffix("\n"))
    assert (told(host, old.id)["still_used"], told(host, old.id)["replaced_by"]) == ("yes", third.id)


def test_purge_removes_what_ended(host: Host) -> None:
    """And says how many; what is active stays, as does what ended too recently."""
    admin = host.local()
    host.token("ada")
    host.token("bob")
    host.revoke("bob")
    assert host.ask(admin, "TOKEN PURGE --older 1d") == "Removed: 0.\n"
    assert host.ask(admin, "TOKEN PURGE") == "Removed: 1.\n"
    assert [record.name for record in host.tokens.list()] == ["ada"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("TOKEN SHOW eve", "no token has the name or id eve"),
        ("TOKEN REVOKE eve", "no token has the name or id eve"),
        ("TOKEN ROTATE eve", "eve has no active token to rotate"),
        ("TOKEN CREATE ada", "ada has an active token"),
        ("TOKEN CREATE eve --expires soon", "a lifetime is a whole number and a unit"),
        ("TOKEN CREATE eve --networks 10.0.0.1/8", "10.0.0.1/8 is no network; write it as in 10.0.0.0/8"),
        ("TOKEN CREATE eve --rate fast", "a rate is commands per second, minute or hour"),
        ("TOKEN CREATE eve --max-sessions 0", "a token has 1 to "),
        ("TOKEN CREATE eve --role root", "Argument role: root is not one of user, operator, admin."),
        ("TOKEN PURGE --older x", "a lifetime is a whole number and a unit"),
    ],
)
def test_what_cannot_be_done_is_explained(host: Host, line: str, sentence: str) -> None:
    """In one sentence, as on the command line, and nothing is changed."""
    host.token("ada")
    assert host.ask(host.local(), line).startswith(f"ERROR: {sentence}")
    assert len(host.tokens.list()) == 1


def test_what_could_not_be_done_is_told_in_the_callers_language(host: Host) -> None:
    """The sentence is the command line's own, translated."""
    admin = host.local()
    admin.speak("pt_BR")
    assert host.ask(admin, "TOKEN SHOW eve") != host.ask(host.local(), "TOKEN SHOW eve")


def test_names_and_ids_are_completed(host: Host) -> None:
    """Of active tokens: where a name is wanted, names."""
    token = host.token("ada")
    host.token("adele")
    host.revoke("adele")
    admin = host.local()
    assert host.ask(admin, "COMPLETE TOKEN ROTATE a").splitlines() == ["ada", "."]
    assert host.ask(admin, f"COMPLETE TOKEN REVOKE {token.id[:4]}").splitlines() == [token.id, "."]
    assert host.ask(admin, "COMPLETE TOKEN sh").splitlines() == ["SHOW", "."]


def test_tokens_are_for_admins(host: Host) -> None:
    """An operator is refused each of them, and is told which role it takes."""
    session = host.user(role=Role.OPERATOR)
    for line in (
        "TOKENS",
        "TOKEN SHOW x",
        "TOKEN CREATE x",
        "TOKEN ROTATE x",
        "TOKEN REVOKE x",
        "TOKEN PURGE",
        "TOKEN REFRESH",
    ):
        answer = host.ask(session, line)
        assert re.fullmatch(r"ERROR: NOPERM TOKENS?( \w+)? needs the role admin; you are operator\.\n", answer), answer
    assert host.ask(session, "TOKEN EXPLODE") == "ERROR: Unknown command.\n"
    assert taken(session) == b""
