"""`listen.addresses`: how an address is written, what of it is refused and why, and what wins over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.config.endpoint import ENDPOINTS_MAX, Endpoint
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config

FORM = 'write it as in ["127.0.0.1:5000", "[::1]:5000"].'


def refusal(listen: dict[str, object]) -> str:
    """What is said of such a table."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"listen": listen})
    return str(caught.value).removeprefix("The configuration: ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file of a test goes."""
    return tmp_path / "secure-server.toml"


@pytest.mark.parametrize(
    ("written", "endpoint", "shown"),
    [
        ("127.0.0.1:5000", Endpoint("127.0.0.1", 5000), "127.0.0.1:5000"),
        ("192.0.2.7:0", Endpoint("192.0.2.7", 0), "192.0.2.7:0"),
        ("Box.Example:65535", Endpoint("box.example", 65535), "box.example:65535"),
        ("_sec-ure.box1:1", Endpoint("_sec-ure.box1", 1), "_sec-ure.box1:1"),
        ("münchen.example:80", Endpoint("münchen.example", 80), "münchen.example:80"),
        ("[::1]:5000", Endpoint("::1", 5000, ipv6_only=True), "[::1]:5000"),
        ("[2001:DB8:0::7]:05", Endpoint("2001:db8::7", 5, ipv6_only=True), "[2001:db8::7]:5"),
        ("[fe80::1%eth0]:5000", Endpoint("fe80::1%eth0", 5000, ipv6_only=True), "[fe80::1%eth0]:5000"),
    ],
)
def test_an_address_is_a_host_and_a_port(written: str, endpoint: Endpoint, shown: str) -> None:
    """In one spelling, whatever the file's; an IPv6 address takes IPv6 alone."""
    assert Endpoint.parse(written) == endpoint
    assert str(endpoint) == shown


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "the port is missing"),
        ("127.0.0.1", "the port is missing"),
        ("127.0.0.1:", "the port is missing"),
        ("[::1]", "the port is missing"),
        ("[::1]:", "the port is missing"),
        ("::1", "an IPv6 address stands in brackets"),
        ("::1:5000", "an IPv6 address stands in brackets"),
        ("2001:db8:0:0:0:0:0:7:5000", "an IPv6 address stands in brackets"),
        ("localhost:https", "the port is no whole number from 0 to 65535"),
        ("localhost:65536", "the port is no whole number from 0 to 65535"),
        ("localhost:-1", "the port is no whole number from 0 to 65535"),
        ("localhost: 80", "the port is no whole number from 0 to 65535"),
        ("localhost:٨٠", "the port is no whole number from 0 to 65535"),
        ("localhost:" + "9" * 30, "the port is no whole number from 0 to 65535"),
        ("[127.0.0.1]:80", "no IPv6 address stands between the brackets"),
        ("[]:80", "no IPv6 address stands between the brackets"),
        ("[::g]:80", "no IPv6 address stands between the brackets"),
        ("[::ffff:192.0.2.7]:80", "that is the IPv4 address 192.0.2.7"),
        (":5000", "the host is missing"),
        ("*:5000", "no host has that name or address"),
        ("a..b:5000", "no host has that name or address"),
        ("a b:5000", "no host has that name or address"),
        ("http://box.example:80", "no host has that name or address"),
        ("127.0.0.1:5000:5000", "no host has that name or address"),
        ("x::1]:5000", "no host has that name or address"),
        ("[::1:5000", "no host has that name or address"),
        ("10.0.0.256:5000", "no host has that name or address"),
        ("127.1:5000", "no host has that name or address"),
        ("0:5000", "no host has that name or address"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(written: str, why: str) -> None:
    """At the start, not by a DNS server or the system later; with the form that it takes."""
    shown = written if len(written) <= 60 else f"{written[:60]}…"
    assert refusal({"addresses": [written]}) == (
        f'listen.addresses: "{shown}" is no address with a port ({why}); {FORM}'
    )


def test_without_a_list_there_is_one_address() -> None:
    """Of `host` and `port`, where `::` takes IPv4 as well; an empty list is none."""
    assert Config().listen.endpoints == (Endpoint("127.0.0.1", 5000),)
    listen = load(None, {"listen": {"host": "::", "port": 7, "addresses": []}}).listen
    assert listen.endpoints == (Endpoint("::", 7, ipv6_only=False),)


def test_those_listed_are_listened_on_in_that_order() -> None:
    """And nothing else: the defaults of `host` and `port` are no further address."""
    listen = load(None, {"listen": {"addresses": ["[::1]:7", "127.0.0.1:6"]}}).listen
    assert listen.endpoints == (Endpoint("::1", 7, ipv6_only=True), Endpoint("127.0.0.1", 6))


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1:0", "[::1]:0", "127.0.0.1:0", "0.0.0.0:0"],
        ["127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.2:5000"],
        ["0.0.0.0:5000", "[::]:5000"],
        ["0.0.0.0:5000", "[::1]:5000", "127.0.0.1:5001"],
        ["[::]:5000", "127.0.0.1:5000"],
        ["a.example:5000", "b.example:5000"],
        ["0.0.0.0:5000", "a.example:5000", "[::]:5000"],
    ],
)
def test_addresses_that_go_together(addresses: list[str]) -> None:
    """Other ports, other hosts, the other kind; and the system chooses another port for each 0."""
    assert len(load(None, {"listen": {"addresses": addresses}}).listen.endpoints) == len(addresses)


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        (["127.0.0.1:1", "[::1]:1", "127.0.0.1:1"], '"127.0.0.1:1" and "127.0.0.1:1" are the same'),
        (["[::1]:1", "[0:0::1]:01"], '"[::1]:1" and "[0:0::1]:01" are the same'),
        (["box.example:1", "BOX.example:1"], '"box.example:1" and "BOX.example:1" are the same'),
        (["0.0.0.0:1", "192.0.2.7:1"], '"0.0.0.0:1" takes all that would come to "192.0.2.7:1"'),
        (["192.0.2.7:1", "0.0.0.0:1"], '"0.0.0.0:1" takes all that would come to "192.0.2.7:1"'),
        (["[::1]:1", "[::]:1"], '"[::]:1" takes all that would come to "[::1]:1"'),
    ],
)
def test_addresses_that_stand_in_each_other_s_way(addresses: list[str], sentence: str) -> None:
    """The system would refuse the second with "address already in use", which does not say by whom."""
    assert refusal({"addresses": addresses}) == f"listen.addresses: {sentence}; leave one of them out."


def test_the_list_has_an_end() -> None:
    """As many as are allowed are; one more is not."""
    most = [f"127.0.0.1:{port}" for port in range(1, ENDPOINTS_MAX + 1)]
    assert len(load(None, {"listen": {"addresses": most}}).listen.endpoints) == ENDPOINTS_MAX
    assert refusal({"addresses": [*most, "127.0.0.1:999"]}) == (
        f"listen.addresses: expected at most {ENDPOINTS_MAX} addresses, found {ENDPOINTS_MAX + 1}."
    )


@pytest.mark.parametrize("found", ["127.0.0.1:5000", 5000, [5000]])
def test_the_list_is_a_list_of_texts(found: object) -> None:
    """Also where there is one address alone."""
    shown = "a list" if isinstance(found, list) else f'"{found}"' if isinstance(found, str) else found
    assert refusal({"addresses": found}) == f"listen.addresses: expected a list of texts, found {shown}."


@pytest.mark.parametrize(("one", "key"), [({"host": "::1"}, "host"), ({"port": 5000}, "port")])
def test_a_list_and_an_address_contradict_each_other(file: Path, one: dict[str, object], key: str) -> None:
    """Which is meant is not guessed, and the sentence says what to keep; an option does not hide it."""
    sentence = (
        f"listen.addresses says where to listen, and listen.{key} says it as well; keep listen.addresses alone, or "
        "listen.host and listen.port."
    )
    assert refusal({"addresses": ["127.0.0.1:1"], **one}) == sentence
    file.write_text(f"""[listen]\naddresses = ["127.0.0.1:1"]\n{key} = {'"::1"' if key == "host" else 5000}\n""")
    for overrides in ({}, {"listen": {"port": 2}}, {"listen": {"host": "127.0.0.1"}}):
        with pytest.raises(ConfigError) as caught:
            load(file, overrides)
        assert str(caught.value) == f"The configuration {file}: {sentence}"


@pytest.mark.parametrize(
    ("said", "endpoint"),
    [
        ({"port": 2}, Endpoint("127.0.0.1", 2)),
        ({"host": "::1"}, Endpoint("::1", 5000)),
        ({"host": "::", "port": 2}, Endpoint("::", 2)),
    ],
)
def test_an_address_on_the_command_line_replaces_the_list(
    file: Path, said: dict[str, object], endpoint: Endpoint
) -> None:
    """The whole of it; what is not said is as without a file. Other keys of the table stay."""
    file.write_text('[listen]\naddresses = ["192.0.2.7:1", "[::1]:1"]\nbacklog = 7\n')
    listen = load(file, {"listen": said}).listen
    assert (listen.endpoints, listen.addresses, listen.backlog) == ((endpoint,), (), 7)


def test_another_option_leaves_the_list(file: Path) -> None:
    """Such as a directory; and a port leaves the host of a file without a list."""
    file.write_text('[listen]\naddresses = ["192.0.2.7:1"]\n')
    assert load(file, {"data_dir": "here"}).listen.endpoints == (Endpoint("192.0.2.7", 1),)
    assert load(file, {"listen": {"backlog": 7}}).listen.endpoints == (Endpoint("192.0.2.7", 1),)
    file.write_text('[listen]\nhost = "::1"\nport = 1\n')
    assert load(file, {"listen": {"port": 2}}).listen.endpoints == (Endpoint("::1", 2),)
