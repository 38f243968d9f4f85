"""What certificates may be made for."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from secure_server.pki import profile
from secure_server.pki.errors import InvalidNameError
from secure_server.pki.names import NameConstraints, check_client_name, client_host, host_text, parse_host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Box.Example", "box.example"),
        ("box.example.", "box.example"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.internal", "xn--strae-oqa.internal"),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("a" * 63 + ".test", "a" * 63 + ".test"),
    ],
)
def test_hosts_are_read_in_one_form(text: str, expected: str) -> None:
    """Case, a trailing dot, other scripts and mapped addresses all come to the form that goes into a certificate."""
    assert host_text(parse_host(text)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("https://box.example", "URL"),
        ("10.0.0.0/8", "URL or a network"),
        ("*.example", "wildcard"),
        ("box.example:5000", "port"),
        ("[::1]", "port"),
        ("[::1]:5000", "port"),
        ("10.0.0.1:80", "port"),
        ("fe80::1%eth0", "zone"),
        ("0.0.0.0", "listen"),  # noqa: S104 - an address that must be refused
        ("::", "listen"),
        ("a_b", "not a host name"),
        ("-a", "not a host name"),
        ("a..b", "not a host name"),
        ("a b", "not a host name"),
        ("10.1.2", "not a host name"),
        ("a" * 64, "not a host name"),
        (".".join(["a" * 60] * 5), "not a host name"),
        ("a\nb", "not a host name"),
        ("box\x00", "not a host name"),
    ],
)
def test_what_is_no_host_is_refused_with_its_reason(text: str, why: str) -> None:
    """Each refusal says what is wrong with that text."""
    with pytest.raises(InvalidNameError, match=why):
        parse_host(text)


@given(st.text(max_size=300))
def test_any_text_is_a_host_or_refused(text: str) -> None:
    """Any text gives a host that reads back as itself, or InvalidNameError, nothing else."""
    try:
        host = parse_host(text)
    except InvalidNameError:
        return
    assert parse_host(host_text(host)) == host


@pytest.mark.parametrize("name", ["ci", "CI_runner-1", "a.b", "_x", "7", "a" * 64])
def test_client_names(name: str) -> None:
    """Letters, digits, dots, underscores and hyphens name a client."""
    assert check_client_name(name) == name


@pytest.mark.parametrize("name", ["", ".x", "-x", "x.", "a/b", "..", "a b", "é", "a" * 65, "x\n", "x-key", "X-KEY"])
def test_names_unfit_for_a_file_are_refused(name: str) -> None:
    """Nothing leaves the directory, hides, reads as an option, or is taken for a key."""
    with pytest.raises(InvalidNameError):
        check_client_name(name)


def test_clients_never_share_a_dns_name() -> None:
    """Names that differ in case or punctuation alone still differ in the certificate."""
    names = ["ci-runner", "ci_runner", "CI-runner", "ci.runner", "ci..runner", "_", "__", "a" * 64, "a" * 63]
    hosts = [client_host(name).value for name in names]
    assert len(set(hosts)) == len(names)
    assert hosts[0] == "ci-runner.client.internal"
    assert all(host_text(parse_host(host)) == host for host in hosts)
    assert all(NameConstraints.for_hosts(()).permit(client_host(name)) for name in names)


@pytest.mark.parametrize(
    ("host", "permitted"),
    [
        ("localhost", True),
        ("box.local", True),
        ("a.b.internal", True),
        ("x.test", True),
        ("nas.home.arpa", True),
        ("made.example", True),
        ("sub.made.example", True),
        ("notmade.example", False),
        ("example", False),
        ("arpa", False),
        ("127.8.8.8", True),
        ("10.1.2.3", True),
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("192.168.3.4", True),
        ("203.0.113.9", True),
        ("203.0.113.10", False),
        ("::1", True),
        ("fd00::1", True),
        ("fe80::1", False),
        ("2001:db8::1", False),
    ],
)
def test_constraints_permit_what_is_local_and_what_they_were_made_with(host: str, *, permitted: bool) -> None:
    """Names below a permitted one are permitted, names that merely end alike are not; addresses likewise."""
    constraints = NameConstraints.for_hosts(map(parse_host, ["made.example", "203.0.113.9", "box.local", "10.0.0.1"]))
    assert constraints.permit(parse_host(host)) is permitted
    assert constraints.domains[-1] == "made.example"
    assert constraints.networks[-1] == ipaddress.ip_network("203.0.113.9/32")


def test_constraints_read_back_from_a_ca() -> None:
    """What goes into a CA comes out again; a CA with one kind alone counts as unconstrained."""
    key, constraints = profile.generate_key(), NameConstraints.for_hosts([parse_host("a.example")])
    now = datetime.now(UTC)
    subject = profile.ca_subject(key)
    assert NameConstraints.of(profile.issue_ca(key, constraints, subject=subject, now=now)) == constraints
    names_only = NameConstraints(("a.example",), ())
    assert NameConstraints.of(profile.issue_ca(key, names_only, subject=subject, now=now)) is None
    ca = profile.issue_ca(key, constraints, subject=subject, now=now)
    leaf = profile.issue_leaf(
        key.public_key(), "x", [x509.DNSName("localhost")], profile.Purpose.SERVER, ca=ca, ca_key=key, now=now
    )
    assert NameConstraints.of(leaf) is None
