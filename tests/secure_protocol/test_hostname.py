"""Names of hosts in ASCII."""

from __future__ import annotations

import subprocess
import sys

import pytest

from secure_protocol.hostname import ascii_host


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("localhost", "localhost"),
        ("Box.Example", "Box.Example"),
        ("box_1.internal", "box_1.internal"),
        ("::1", "::1"),
        ("", ""),  # all addresses, where a server listens
        ("box.internal.", "box.internal."),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("straße.internal", "xn--strae-oqa.internal"),  # IDNA 2003: strasse.internal, another name
        ("STRASSE.internal", "STRASSE.internal"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("βόλος.com", "xn--nxasmm1c.com"),  # UTS 46, table of deviations
        ("\uff42\uff4f\uff58\u3002internal", "box.internal"),  # full width
    ],
)
def test_names_become_those_of_the_dns(typed: str, asked: str) -> None:
    """As browsers have them (UTS 46, IDNA 2008)."""
    assert ascii_host(typed) == asked


@pytest.mark.parametrize("typed", ["a..b", "a" * 64, "ü" * 64, "a\N{ZERO WIDTH JOINER}b", "-ü-.example", "ü b"])
def test_no_names(typed: str) -> None:
    """What no host can be called is refused."""
    with pytest.raises(UnicodeError):
        ascii_host(typed)


def test_ascii_costs_no_tables() -> None:
    """A client that asks for `localhost` does not load them."""
    asks = "import sys; from secure_protocol.hostname import ascii_host; ascii_host('box')"
    subprocess.run([sys.executable, "-c", f"{asks}; sys.exit('idna' in sys.modules)"], check=True)
