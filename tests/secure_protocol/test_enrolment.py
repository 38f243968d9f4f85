"""The enrolment URL: what is written is read back, and what is no URL is refused without a word of the secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_protocol.enrolment import CHARACTERS_MAX, Enrolment, EnrolmentFormatError
from secure_protocol.token import Token, TokenFormatError

TOKEN = Token("EXAMPLE000", "0" * 43)
GOOD = Enrolment("build.internal", 5000, bytes(range(32)), TOKEN)
URL = GOOD.reveal()

hosts = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{1,10}){0,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


@settings(deadline=None)  # a busy machine is not a fault
@given(hosts, st.integers(1, 65535), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read_back(host: str, port: int, pin: bytes) -> None:
    """Names, addresses of both kinds, every port and pin; also with white space around it, as from a mail."""
    enrolment = Enrolment(host, port, pin, Token.generate())
    assert Enrolment.parse(f" {enrolment.reveal()}\n") == enrolment


def test_the_form_is_the_one_that_is_promised() -> None:
    """No character of it is escaped, so that people recognise the parts."""
    assert f"scs://build.internal:5000?ca=sha256:{bytes(range(32)).hex()}&token={TOKEN.reveal()}" == URL
    assert "&" not in URL.partition("&")[2]


@settings(deadline=None)  # likewise
@given(st.text(max_size=200) | st.text(max_size=100).map(lambda tail: URL + tail) | st.text().map("scs://".__add__))
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    """Whatever is pasted, it is read or refused, and a refusal holds nothing of it."""
    said = ""
    try:
        Enrolment.parse(text)
    except (EnrolmentFormatError, TokenFormatError) as error:
        said = str(error)
    assert TOKEN.secret not in said


def cut(part: str) -> Callable[[str], str]:
    """What leaves a part of the URL out."""
    return lambda url: url.replace(part, "")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda _url: "", "begins with scs://"),
        (lambda url: url.replace("scs:", "https:"), "begins with scs://"),
        (lambda url: url.partition("&")[0], "ends before its token: put it in single quotes"),
        (lambda url: url.partition("?")[0], "no fingerprint"),
        (lambda url: url.replace("sha256:00", "sha256:0"), "64 hex digits"),
        (lambda url: url.replace("sha256:", "md5:"), "64 hex digits"),
        (cut(":5000"), "no port"),
        (lambda url: url.replace(":5000", ":0"), "no port"),
        (lambda url: url.replace(":5000", ":70000"), "no port"),
        (lambda url: url.replace(":5000", ":http"), "no port"),
        (cut("build.internal"), "no host"),
        (lambda url: url.replace("build.internal", "[build]"), "damaged|no IPv6"),
        (lambda url: url.replace("build.internal", "[fe80"), "damaged"),
        (lambda url: url.replace("build", "user@build"), "added to it"),
        (lambda url: url.replace("?", "/path?"), "added to it"),
        (lambda url: f"{url}#more", "added to it"),
        (lambda url: f"{url} more", "added to it"),
        (lambda url: f"{url}&x={'a' * CHARACTERS_MAX}", "added to it"),
        (lambda url: f"{url}&token=x", "twice"),
        (lambda url: url[:-1], "incomplete"),
        (lambda url: f"{url[:-1]}~", "no token has|incomplete|checksum"),
        (lambda url: url.replace("token=scs_", "token="), "a token begins with"),
    ],
)
def test_each_fault_has_its_sentence(spoil: Callable[[str], str], why: str) -> None:
    """What is wrong is said, and what to do, and the token is not in it."""
    with pytest.raises((EnrolmentFormatError, TokenFormatError), match=why) as caught:
        Enrolment.parse(spoil(URL))
    assert TOKEN.secret not in str(caught.value)


def test_a_newer_server_may_add_to_it() -> None:
    """Parameters that this version does not know are passed over."""
    assert Enrolment.parse(f"{URL}&colour=blue") == GOOD


def test_its_repr_is_masked() -> None:
    """A traceback or a log line shows no secret."""
    assert TOKEN.secret not in repr(GOOD)
    assert TOKEN.secret not in str(GOOD)
