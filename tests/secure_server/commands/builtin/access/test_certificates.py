"""CERT SHOW and CERT RELOAD, over made-up certificates; tests/integration has real ones."""

from __future__ import annotations

from datetime import UTC, datetime

from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.pki.preflight import CertificateProblem
from tests.secure_server.host import Host, identity


def rows(host: Host) -> list[list[str]]:
    """Return the table's rows, as an administrator sees them, in columns."""
    answer = host.ask(host.local(), "CERT SHOW").splitlines()
    assert answer.pop() == "."
    return [line.split() for line in answer[1:]]


def test_the_present_certificate_comes_first_with_its_sessions(host: Host) -> None:
    """Each session counts for the certificate that it was served, also when another is served by now."""
    host.session()
    host.session()
    host.files = identity("b", ("localhost", "box"))
    answer = host.ask(host.local(), "CERT RELOAD")
    assert answer == "New connections get the new certificate: SHA-256 a → b.\n"
    third = host.session()
    present, former = rows(host)
    assert (present[0], present[1], present[-2]) == ("present", "b", "1")
    assert (former[0], former[1], former[-2]) == ("former", "a", "2")
    host.sessions.remove(third)
    assert rows(host)[0][-2] == "0"


def test_one_that_the_history_has_forgotten_is_shown_while_it_is_used(host: Host) -> None:
    """The history is bounded; what live sessions use is listed all the same."""
    kept = host.session()
    for number in range(40):
        host.files = identity(f"n{number}")
        host.certificates.reload("file")
    assert len(host.certificates.history) == 16
    shown = rows(host)
    assert len(shown) == 17
    assert [shown[-1][1], shown[-1][-2]] == ["a", "1"]
    host.sessions.remove(kept)
    assert len(rows(host)) == 16


def test_a_reload_that_fails_says_why_in_the_callers_language(host: Host) -> None:
    """The old certificate stays; the next try may succeed."""
    host.files = CertificateProblem(
        Sentence("The rollover is finished: clients need the root that is in {ca} now.", ca="x")
    )
    admin = host.local()
    assert host.ask(admin, "CERT RELOAD").startswith("ERROR: The certificate is kept as it is: The rollover is fin")
    assert host.certificates.certificate.fingerprint == "a"
    host.ask(admin, "LANG pt_BR")
    assert "O certificado fica como está: A transição está encerrada" in host.ask(admin, "CERT RELOAD")
    host.files = identity("b", ("other",))
    host.ask(admin, "LANG en")
    assert host.ask(admin, "CERT RELOAD").endswith("a → b. Note: it is no longer for localhost.\n")
    assert host.ask(admin, "CERT RELOAD") == "Read again, and the same certificate as before: SHA-256 b.\n"


def test_what_is_wrong_stands_beside_the_present_one(host: Host) -> None:
    """The last reload that failed, when and why, until one succeeds; and an end that is near."""
    admin = host.local()
    assert rows(host)[0][-1] == "-"
    host.files = CertificateProblem(
        Sentence("The rollover is finished: clients need the root that is in {ca} now.", ca="x")
    )
    host.certificates.reload("file")
    shown = host.ask(admin, "CERT SHOW").splitlines()[1]
    assert f"Not reloaded at {host.today.astimezone().isoformat(timespec='seconds')}: The rollover is finished" in shown
    host.ask(admin, "LANG pt_BR")
    assert "A transição está encerrada" in host.ask(admin, "CERT SHOW")
    host.files = identity()
    host.certificates.reload("file")
    assert rows(host)[0][-1] == "-"
    host.today = datetime(2026, 12, 2, tzinfo=UTC)
    assert host.ask(admin, "CERT SHOW").count("2027-01-01, e ninguém o renovou.") == 1


def test_programs_get_maps(host: Host) -> None:
    """With what a program needs to know when to come again."""
    answer = host.call(host.local(), "CERT", "SHOW")
    for key in (b"fingerprint", b"not_before", b"expires", b"renewal", b"2027-01-01T"):
        assert key in answer


def test_both_are_for_administrators(host: Host) -> None:
    """An operator learns nothing and reloads nothing."""
    operator = host.user("ops", Role.OPERATOR)
    for line in ("CERT SHOW", "CERT RELOAD"):
        assert host.ask(operator, line).startswith("ERROR: NOPERM")
