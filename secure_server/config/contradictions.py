"""Settings that contradict each other, or that name nothing: what their types cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from urllib.parse import urlsplit

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.config.endpoint import ENDPOINTS_MAX, Endpoint
from secure_server.config.settings import Config


def contradictions(config: Config) -> Iterator[Sentence]:
    """Find what keeps a configuration from being meant; the first is told."""
    requests, threads = config.requests, config.threads
    if requests.argument > requests.request:
        yield Sentence(
            "requests.argument ({argument}) is more than requests.request ({request}), which all "
            "arguments share; raise that, or lower this.",
            argument=requests.argument,
            request=requests.request,
        )
    if config.limits.pending_bytes > config.limits.pending_total:
        yield Sentence(
            "limits.pending_bytes ({one}) is more than limits.pending_total ({total}), which all connections share; "
            "raise that, or lower this.",
            one=config.limits.pending_bytes,
            total=config.limits.pending_total,
        )
    if threads.queue < threads.workers:
        yield Sentence(
            "threads.queue ({queue}) is less than threads.workers ({workers}), so that a burst would "
            "be refused while workers are idle; raise this, or lower that.",
            queue=threads.queue,
            workers=threads.workers,
        )
    if config.jobs.output > config.jobs.disk:
        yield Sentence(
            "jobs.output ({one}) is more than jobs.disk ({total}), which all jobs share; raise that, or lower this.",
            one=config.jobs.output,
            total=config.jobs.disk,
        )
    if config.tls.client_certificates == "off":
        idle = [f"[certificates.{printable(name, 60)}]" for name in config.certificates]
        for key in [*idle, *(["tls.client_ca"] if config.tls.client_ca else [])]:
            yield Sentence(
                'tls.client_certificates = "off" asks no client for a certificate, but {key} is there; choose '
                '"optional" or "required", or take that away.',
                key=key,
            )
    yield from _no_networks(config)
    yield from _web(config)
    yield from _quic(config)


def _no_networks(config: Config) -> Iterator[Sentence]:
    networks = {
        "admin.networks": config.admin.networks,
        "penalties.exempt": config.penalties.exempt,
        "web.proxies": config.web.proxies,
        "web.health_networks": config.web.health_networks,
        "metrics.networks": config.metrics.networks,
    }
    for key, text in ((key, text) for key, texts in networks.items() for text in texts):
        try:
            ip_network(text)
        except ValueError as error:
            yield Sentence(
                '{key}: "{text}" is no network ({why}); write it as in ["10.0.0.0/8", "2001:db8::/32"].',
                key=key,
                text=printable(text, 60),
                why=error,
            )


def _web(config: Config) -> Iterator[Sentence]:
    """Find what keeps the page from being reached as it is meant."""
    web = config.web
    if web.enabled and config.authentication.mechanisms == "scram" and not web.bearer:
        yield Sentence(
            'authentication.mechanisms = "scram" takes no token as it is, and the page can show one only so; have '
            "web.bearer = true if that is meant for the page, or web.enabled = false."
        )
    yield from _no_endpoints("web.addresses", web.addresses)
    if config.metrics.networks and not web.enabled:
        yield Sentence(
            "metrics.networks says who may read /metrics, but nothing is served over HTTP; have web.enabled = true, or "
            "take that away."
        )
    pages = {"web.origins": web.origins, "web.url": (web.url,) if web.url else ()}
    for key, text in ((key, text) for key, texts in pages.items() for text in texts):
        if not _is_origin(text):
            yield Sentence(
                '{key}: "{text}" is no address of a page; write it as in "https://ops.example.org", with a port if it '
                "has one of its own, and without a path.",
                key=key,
                text=printable(text, 60),
            )


def _quic(config: Config) -> Iterator[Sentence]:
    """Find what keeps QUIC from being what it is meant to be."""
    yield from _no_endpoints("quic.addresses", config.quic.addresses)
    if config.quic.enabled and config.tls.client_certificates == "required":
        yield Sentence(
            'tls.client_certificates = "required" asks each client for a certificate, and over QUIC none can be asked '
            'for; have quic.enabled = false, or "optional".'
        )


def _no_endpoints(key: str, addresses: Sequence[str]) -> Iterator[Sentence]:
    """Find what in a list of addresses is none, or too many."""
    for text in addresses:
        try:
            Endpoint.parse(text)
        except ValueError as error:
            yield Sentence(
                '{key}: "{text}" is no address with a port ({why}); write it as in ["127.0.0.1:5443"].',
                key=key,
                text=printable(text, 60),
                why=error,
            )
    if len(addresses) > ENDPOINTS_MAX:
        yield Sentence(
            "{key}: expected at most {most} addresses, found {number}.",
            key=key,
            most=ENDPOINTS_MAX,
            number=len(addresses),
        )


def _is_origin(text: str) -> bool:
    """Whether it is the scheme, host and port of a page behind TLS, as browsers write them: without 443."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if (parts.scheme, parts.path.rstrip("/"), parts.query, parts.fragment) != ("https", "", "", "") or port in (0, 443):
        return False
    host = parts.hostname or ""
    return bool(host) and "@" not in parts.netloc and host.isascii() and not any(sign.isspace() for sign in text)
