"""What keeps the page from being reached as it is meant; other contradictions are with the settings they are of."""

from __future__ import annotations

import pytest

from secure_server.config.file import load
from secure_server.config.reading import ConfigError


def test_scram_alone_and_the_page() -> None:
    """The page shows a token whole: the server does not start unless that is said to be meant."""
    scram: dict[str, object] = {"authentication": {"mechanisms": "scram"}}
    with pytest.raises(ConfigError, match=r"web\.bearer = true if that is meant") as caught:
        load(None, scram | {"web": {"enabled": True}})
    assert "\n" not in str(caught.value)
    assert load(None, scram | {"web": {"enabled": True, "bearer": True}}).web.bearer
    assert not load(None, scram | {"web": {"enabled": False}}).web.enabled
    assert load(None, {"web": {"enabled": True}}).web.enabled


@pytest.mark.parametrize("key", ["origins", "url"])
@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://ops.example.org", True),
        ("https://ops.example.org/", True),
        ("https://ops.example.org:8443", True),
        ("https://[2001:db8::1]:8443", True),
        ("https://ops.example.org:443", False),
        ("https://ops.example.org:0", False),
        ("https://ops.example.org:x", False),
        ("http://ops.example.org", False),
        ("ops.example.org", False),
        ("https://", False),
        ("https://ops.example.org/console", False),
        ("https://ops.example.org/?a", False),
        ("https://ops@example.org", False),
        ("https://ops example.org", False),
        ("https://öps.example.org", False),
        ("*", False),
    ],
)
def test_addresses_of_pages(key: str, text: str, *, good: bool) -> None:
    """As browsers write them, for they are compared with what browsers send."""
    web = {key: text if key == "url" else [text]}
    if good:
        load(None, {"web": web})
    else:
        with pytest.raises(ConfigError, match=rf"web\.{key}: .* is no address of a page"):
            load(None, {"web": web})


def test_addresses_where_http_alone_is_spoken() -> None:
    """As `listen.addresses` has them."""
    assert [*map(str, load(None, {"web": {"addresses": ["[::1]:5443"]}}).web.endpoints)] == ["[::1]:5443"]
    with pytest.raises(ConfigError, match=r"web\.addresses: .* is no address with a port \(the port is missing\)"):
        load(None, {"web": {"addresses": ["127.0.0.1"]}})
    with pytest.raises(ConfigError, match=r"web\.addresses: expected at most 64 addresses, found 65"):
        load(None, {"web": {"addresses": [f"127.0.0.1:{port}" for port in range(5000, 5065)]}})


def test_quic_asks_for_no_certificates() -> None:
    """So it is no way in where all must show one; and its addresses are addresses."""
    load(None, {"quic": {"enabled": True}, "tls": {"client_certificates": "optional"}})
    load(None, {"quic": {"addresses": ["[::1]:5000"]}, "tls": {"client_certificates": "required"}})
    with pytest.raises(ConfigError, match=r"over QUIC none can be asked for; have quic\.enabled = false"):
        load(None, {"quic": {"enabled": True}, "tls": {"client_certificates": "required"}})
    with pytest.raises(ConfigError, match=r"quic\.addresses: .* is no address with a port \(the port is missing\)"):
        load(None, {"quic": {"enabled": True, "addresses": ["127.0.0.1"]}})
