"""What a certificate may be made for: host names, addresses and clients, and what the CA may sign.

Hosts are held as the X.509 names that go into the certificate, so nothing is converted twice.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from secure_protocol.hostname import ascii_host
from secure_protocol.sentence import Sentence
from secure_server.pki.errors import InvalidNameError

Host = x509.DNSName | x509.IPAddress
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_DNS_NAME = 253
"""Characters of a DNS name in text form (RFC 1035 section 2.3.4)."""
MAX_CLIENT_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1, ub-common-name)."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_CLIENT_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{MAX_CLIENT_NAME - 1}}}")

LOOPBACK_HOSTS: tuple[Host, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
    x509.IPAddress(ipaddress.IPv6Address("::1")),
)
"""Every server certificate is good for these."""

LOCAL_DOMAINS = ("localhost", "local", "internal", "test", "home.arpa")
"""Domains no public CA signs for: RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of `internal` (2024)."""

LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
"""Loopback (RFC 1122, RFC 4291) and private addresses (RFC 1918, RFC 4193)."""

CLIENT_DOMAIN = "client.internal"
"""Client certificates carry a DNS name below it.

Verifiers want a subject alternative name, and it must be of a kind that the CA's name constraints cover: a URI or an
email address would be left unconstrained. `internal` is never resolved in public, so the name belongs to nobody else.
"""


def host_text(host: Host) -> str:
    """Return the host as a person writes it: `box.example`, `192.0.2.7`, `::1`."""
    return str(host.value)


def parse_host(text: str) -> Host:
    """Read one host name or address as given on the command line; names become lower-case ASCII (IDNA).

    Raises:
        InvalidNameError: it is empty, an URL, has a port or a wildcard, or is not a name or address at all.
    """
    if not text.strip():
        raise InvalidNameError(Sentence("A host is empty; give a name or an address, such as `--host box.example`."))
    if "/" in text:
        raise InvalidNameError(
            Sentence("{text!r} is an URL or a network; give the host alone, such as `--host box.example`.", text=text)
        )
    if "*" in text:
        raise InvalidNameError(
            Sentence("{text!r} is a wildcard, which would vouch for hosts yet unknown; name each host.", text=text)
        )
    address = _parse_address(text)
    if address is not None:
        return address
    if ":" in text or "[" in text:
        raise InvalidNameError(
            Sentence(
                "{text!r} is not an address, or has a port; "
                "give the host alone, such as `--host ::1` or `--host box.example`.",
                text=text,
            )
        )
    return _parse_dns_name(text)


def _parse_address(text: str) -> x509.IPAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise InvalidNameError(
                Sentence(
                    "{text!r} has a zone, which means nothing on another machine; leave out the `%` part.", text=text
                )
            )
        address = address.ipv4_mapped or address
    if address.is_unspecified:
        raise InvalidNameError(
            Sentence("{text!r} is an address to listen on; name the addresses that clients connect to.", text=text)
        )
    return x509.IPAddress(address)


def _parse_dns_name(text: str) -> x509.DNSName:
    try:
        name = ascii_host(text.removesuffix(".")).lower()
    except UnicodeError:
        name = ""
    # A last label of digits alone would be read as an IPv4 address (WHATWG URL, "ends in a number").
    if len(name) > MAX_DNS_NAME or not _DNS_NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise InvalidNameError(
            Sentence(
                "{text!r} is not a host name: letters, digits, hyphens and dots, "
                "at most 63 characters between the dots.",
                text=text,
            )
        )
    return x509.DNSName(name)


def check_client_name(name: str) -> str:
    """Return `name` if it can name a client: it becomes part of file names and the certificate's common name.

    Raises:
        InvalidNameError: another character, a leading `.` or `-`, a trailing `.`, too long, or it ends in `-key`.
    """
    if not _CLIENT_NAME.fullmatch(name) or name.endswith("."):
        raise InvalidNameError(
            Sentence(
                "{name!r} cannot name a client; use 1 to {most} letters, digits, `.`, `_` or `-`, "
                "without a `.` or `-` in front or a `.` at the end.",
                name=name,
                most=MAX_CLIENT_NAME,
            )
        )
    if name.lower().endswith("-key"):
        raise InvalidNameError(
            Sentence(
                "{name!r} cannot name a client: its certificate would be taken for a key; choose another.", name=name
            )
        )
    return name


def client_host(name: str) -> x509.DNSName:
    """Return the DNS name that a client's certificate carries below `CLIENT_DOMAIN`.

    A name that is no DNS name (capitals, underscores) gets a digest, so that two clients never share one.
    """
    if _DNS_NAME.fullmatch(name):
        return x509.DNSName(f"{name}.{CLIENT_DOMAIN}")
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32]
    label = f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:16]}".lstrip("-")
    return x509.DNSName(f"{label}.{CLIENT_DOMAIN}")


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """What a CA may sign (RFC 5280 section 4.2.1.10).

    Both kinds are always given: a constraint on DNS names alone leaves addresses free.

    Attributes:
        domains: each permits itself and every name below it.
        networks: each permits the addresses in it.
    """

    domains: tuple[str, ...]
    networks: tuple[Network, ...]

    @classmethod
    def for_hosts(cls, hosts: Iterable[Host]) -> NameConstraints:
        """Permit what is local, and `hosts`."""
        domains, networks = list(LOCAL_DOMAINS), list(LOCAL_NETWORKS)
        for host in hosts:
            if cls(tuple(domains), tuple(networks)).permit(host):
                continue
            if isinstance(host, x509.DNSName):
                domains.append(host.value)
            else:
                networks.append(ipaddress.ip_network(host_text(host)))
        return cls(tuple(domains), tuple(networks))

    @classmethod
    def of(cls, ca: x509.Certificate) -> NameConstraints | None:
        """Read them from a CA; None when it does not constrain both DNS names and addresses."""
        try:
            subtrees = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or ()
        except x509.ExtensionNotFound:
            return None
        domains = tuple(name.value for name in subtrees if isinstance(name, x509.DNSName))
        networks = tuple(
            name.value
            for name in subtrees
            if isinstance(name, x509.IPAddress)
            and isinstance(name.value, (ipaddress.IPv4Network, ipaddress.IPv6Network))
        )
        return cls(domains, networks) if domains and networks else None

    def permit(self, host: Host) -> bool:
        """Say whether the CA may sign a certificate for `host`."""
        if isinstance(host, x509.DNSName):
            return any(host.value == domain or host.value.endswith(f".{domain}") for domain in self.domains)
        return any(host.value in network for network in self.networks)

    def extension(self) -> x509.NameConstraints:
        """Return the X.509 extension."""
        return x509.NameConstraints(
            permitted_subtrees=[
                *(x509.DNSName(domain) for domain in self.domains),
                *(x509.IPAddress(network) for network in self.networks),
            ],
            excluded_subtrees=None,
        )
