"""What `secure-client enroll` takes, before anything is sent."""

from __future__ import annotations

import pytest

from secure_client.cli.enroll import default_name, parse
from secure_client.enrolment import certificates_of, fingerprint
from secure_client.errors import SetupError
from secure_protocol.enrolment import Enrolment
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority

ENROLMENT = Enrolment("build.internal", 5000, bytes(32), Token("EXAMPLE000", "0" * 43))
URL = ENROLMENT.reveal()


@pytest.mark.parametrize(
    "text",
    [URL, f"'{URL}'", f'"{URL}"', f"secure-client enroll '{URL}'\n", f".venv/bin/secure-client  enroll {URL}"],
)
def test_what_people_paste(text: str) -> None:
    """The URL, or the whole line where the URL is asked for."""
    assert parse(text) == ENROLMENT


@pytest.mark.parametrize("text", ["", "hunter2", URL.partition("&")[0], URL[:-1], f"{URL} {URL}", f"'{URL}"])
def test_what_is_no_url_is_not_repeated(text: str) -> None:
    """One sentence that says why, and that nothing was sent."""
    with pytest.raises(SetupError, match=r"^This cannot be used to enrol: .*\. Nothing was sent\.$") as caught:
        parse(text)
    assert ENROLMENT.token.secret not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "name"),
    [("build.internal", "build.internal"), ("127.0.0.1", "127.0.0.1"), ("fd00::7", "fd00--7"), ("::1", "1")],
)
def test_a_profile_is_named_after_its_host(host: str, name: str) -> None:
    """So that people recognise it."""
    assert default_name(host) == name


def test_a_host_that_can_be_no_name() -> None:
    """Longer than a name may be."""
    assert default_name("a" * 65) == "server"


def test_only_certificates_are_taken_from_a_bundle(authority: Authority) -> None:
    """Whatever stands around them, and with either line end."""
    pem = authority.ca.read_text(encoding="ascii")
    assert certificates_of(f"-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n{pem}\n{pem}".replace("\n", "\r\n")) == [
        pem,
        pem,
    ]
    assert len(fingerprint(pem)) == 32
    assert fingerprint("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n") == b""
