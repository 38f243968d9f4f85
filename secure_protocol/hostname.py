"""Names of hosts as the DNS and certificates hold them: in ASCII, whatever a person typed."""

from __future__ import annotations

MOST_LABEL = 63
"""Characters between two dots of a name (RFC 1035 section 2.3.4)."""


def ascii_host(host: str) -> str:
    """Return a name of a host, or an address, in ASCII.

    `straße.example` becomes `xn--strae-oqa.example`, as browsers and the DNS have it (UTS 46, IDNA 2008). Python's own
    codec, which `ssl` and `socket` apply to whatever is not ASCII, is that of IDNA 2003: it makes `strasse.example` of
    it, the name of somebody else.

    Args:
        host: as typed; what is ASCII stays as it is.

    Raises:
        UnicodeError: no host can have that name.
    """
    if host.isascii():
        labels = host.removesuffix(".").split(".")
        if host and not all(0 < len(label) <= MOST_LABEL for label in labels):
            raise UnicodeError("label empty or too long")
        return host
    import idna  # noqa: PLC0415 - its tables take longer to load than most clients' whole start, and few need them

    return idna.encode(host, uts46=True).decode("ascii")
