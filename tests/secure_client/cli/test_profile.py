"""`secure-client profile …`, and how a saved server is found: by name, by address, as the only one, as the default."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_client.cli.main import dispatch
from secure_client.core.endpoint import Endpoint, TransportChoice
from secure_client.errors import SetupError
from secure_client.profiles.profiles import RESERVED, Profile, Profiles
from secure_client.profiles.target import Options, resolve, saved_login
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer

Run = Callable[..., tuple[int, str, str]]
TOKEN = Token.generate()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no token in the environment."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SECURE_CLIENT_TOKEN", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `secure-client`; return exit code, stdout and stderr."""
    assert not home.exists()

    def call(*words: str) -> tuple[int, str, str]:
        status = dispatch(list(words))
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def saved(**endpoints: str) -> Profiles:
    """Profiles with these names and servers."""
    profiles = Profiles()
    for name, endpoint in endpoints.items():
        profiles.add(name, Profile(endpoint=endpoint, token=TOKEN.reveal()))
    return profiles


@pytest.mark.usefixtures("home")
def test_the_default_is_meant_where_none_is_named(run: Run) -> None:
    """It stays so when it is replaced, until another is, or none; the only one needs not be it."""
    profiles = saved(a="a.test:1", b="b.test:2")
    with pytest.raises(SetupError, match=r"Which server\? Name a profile \(a, b\)"):
        resolve(Options(), profiles)
    assert run("profile", "default")[0] == 2
    assert run("profile", "default", "b")[0] == 0
    assert run("profile", "default")[1] == "b\n"
    assert resolve(Options(), profiles).called == "b"
    profiles.add("b", Profile(endpoint="b.test:3", token=TOKEN.reveal()))
    assert resolve(Options(), profiles).endpoint == Endpoint("b.test", 3)
    assert run("profile", "default", "a")[0] == 0
    assert resolve(Options(), profiles).called == "a"
    assert run("profile", "default", "--none")[0] == 0
    assert run("profile", "default", "nobody") == (
        2, "", "There is no profile `nobody`; `secure-client profile list` shows all.\n",
    )  # fmt: skip
    assert run("profile", "default", "a", "--none")[0] == 2
    profiles.remove("a")
    assert resolve(Options(), profiles).called == "b"


@pytest.mark.usefixtures("home")
def test_a_profile_is_found_by_its_address() -> None:
    """So that its CA and token are used; of two, none is guessed."""
    profiles = saved(work="work.test:7000", home="[::1]:5000")
    assert resolve(Options("work.test:7000"), profiles).called == "work"
    assert resolve(Options("::1"), profiles).called == "home"
    profiles.add("again", Profile(endpoint="work.test:7000"))
    with pytest.raises(SetupError, match=r"Several profiles are of work\.test:7000: name one of them \(again, work\)"):
        resolve(Options("work.test:7000"), profiles)
    assert resolve(Options("work"), profiles).called == "work"


@pytest.mark.usefixtures("home")
def test_an_option_names_a_profile_and_nothing_else(run: Run) -> None:
    """A slip is not looked up as a host; and who gives both is asked which."""
    profiles = saved(work="work.test:7000")
    assert resolve(Options(profile="work"), profiles).called == "work"
    status, _, told = run("-p", "wrok", "-c", "PING")
    assert (status, told) == (2, "There is no profile `wrok`; `secure-client profile list` shows all.\n")
    assert "not both" in run("-p", "work", "localhost", "-c", "PING")[2]


def test_a_home_that_cannot_be_read_stops_nothing_that_needs_no_profile(home: Path) -> None:
    """An address needs none; a name does."""
    home.mkdir(mode=0o700)
    (home / "profiles.json").write_text("damaged", encoding="ascii")
    trusted = Options("server.test:1", certificate=Path("me.pem"))
    assert resolve(trusted, Profiles()).endpoint == Endpoint("server.test", 1)
    with pytest.raises(SetupError, match="is damaged"):
        resolve(Options("work", certificate=Path("me.pem")), Profiles())


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_words_of_the_program_are_no_names(run: Run, name: str) -> None:
    """They win on the command line, so that such a profile could not be meant."""
    status, _, told = run("profile", "add", name, "localhost:1")
    assert status == 2
    assert "is a word of secure-client itself" in told


@pytest.mark.usefixtures("home")
def test_profiles_are_shown_without_their_tokens(run: Run) -> None:
    """As lines and as JSON."""
    saved(work="work.test:7000", other="other.test:1").set_default("work")
    status, shown, _ = run("profile", "show", "work")
    assert status == 0
    assert {tuple(line.split(maxsplit=1)) for line in shown.splitlines()} >= {
        ("name", "work"), ("endpoint", "work.test:7000"), ("token", "saved here"), ("default", "yes"),
    }  # fmt: skip
    told = json.loads(run("profile", "show", "work", "--json")[1])
    assert (told["name"], told["endpoint"], told["token"], told["default"]) == (
        "work", "work.test:7000", "saved here", True,
    )  # fmt: skip
    listed = run("profile", "list", "--json")[1]
    assert [item["name"] for item in json.loads(listed)] == ["other", "work"]
    assert "work *" in run("profile", "list")[1]
    assert TOKEN.secret not in shown + listed + json.dumps(told)
    assert run("profile", "show", "nobody")[0] == 2
    assert run("profile", "list", "--json")[0] == 0


@pytest.mark.usefixtures("home")
def test_no_profiles_are_an_empty_list(run: Run) -> None:
    """For programs; a person is told how to add one."""
    assert run("profile", "list", "--json") == (0, "[]\n", "")
    assert "No profiles. Add one" in run("profile", "list")[2]


@pytest.mark.usefixtures("home")
def test_a_profile_is_tried(run: Run, server: ScriptedServer, authority: Authority, token: Token) -> None:
    """It logs in, and says as whom; one that does not work says why, with its exit code."""
    profiles = Profiles()
    profiles.add("good", Profile(endpoint=server.address, ca=str(authority.ca), token=token.reveal()))
    profiles.add("bad", Profile(endpoint=server.address, ca=str(authority.ca), token=TOKEN.reveal()))
    assert run("profile", "test", "good") == (0, "good works: ana (user) at scripted 1.\n", "")
    assert json.loads(run("profile", "test", "good", "--json")[1])["user"] == "ana"
    status, _, told = run("profile", "test", "bad")
    assert (status, "was refused" in told or "not accepted" in told or "does not take" in told) == (4, True), told
    assert server.received == []


@pytest.mark.usefixtures("home")
def test_by_what_to_connect_is_saved(run: Run) -> None:
    """By an option or in the address; shown and listed; a command line may say otherwise."""
    added = {
        "one": ("box:1", "--transport", "quic"),
        "two": ("scs+quic://box:2",),
        "three": ("box:3",),
        "four": ("box:4", "--transport", "auto"),
    }
    for name, words in added.items():
        assert run("profile", "add", name, *words, "--token-file", "t")[0] == 0
    status, shown, _ = run("profile", "show", "two")
    assert status == 0
    assert {tuple(line.split(maxsplit=1)) for line in shown.splitlines()} >= {
        ("endpoint", "box:2"), ("transport", "quic"),
    }  # fmt: skip
    assert [item["transport"] for item in json.loads(run("profile", "list", "--json")[1])] == [
        "auto", "quic", "tls", "quic",
    ]  # fmt: skip
    assert "box:4 (auto)" in run("profile", "list")[1]
    profiles = Profiles()
    assert '"transport": "tls"' not in profiles.path.read_text(encoding="utf-8")
    profiles.add("five", Profile(endpoint="box:5", token=TOKEN.reveal(), transport=TransportChoice.QUIC))
    assert resolve(Options("five"), profiles).transport is TransportChoice.QUIC
    assert resolve(Options("box:5"), profiles).transport is TransportChoice.QUIC
    assert resolve(Options("five", transport=TransportChoice.TLS), profiles).transport is TransportChoice.TLS
    assert saved_login(profiles.load()["five"]).transport is TransportChoice.QUIC


@pytest.mark.usefixtures("home")
def test_an_address_over_quic_finds_its_profile() -> None:
    """By what to connect is no part of whom to believe."""
    profiles = saved(work="work.test:7000")
    login = resolve(Options("scs+quic://work.test:7000"), profiles)
    assert (login.called, str(login.endpoint), login.transport) == ("work", "work.test:7000", TransportChoice.QUIC)
    with pytest.raises(SetupError, match="contradict one another"):
        resolve(Options("scs+quic://work.test:7000", transport=TransportChoice.TLS), profiles)


@pytest.mark.usefixtures("home")
def test_a_transport_that_is_none(run: Run) -> None:
    """On the command line, in the address, and in the file."""
    assert run("profile", "add", "x", "box:1", "--transport", "carrier-pigeon")[0] == 2
    assert run("profile", "add", "x", "unix:/a", "--transport", "quic")[0] == 2
    with pytest.raises(ValueError, match="`transport` of a profile is none"):
        Profile.from_json({"endpoint": "box:1", "transport": "sctp"})
