"""Saved servers, and what follows from them and the command line."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from secure_client import AuthenticationError, SetupError
from secure_client.core.login import language_of
from secure_client.profiles import places, turns
from secure_client.profiles import profiles as module
from secure_client.profiles.profiles import Profile, Profiles
from secure_client.profiles.target import DEFAULT_CA, Options, read_token, resolve
from secure_client.profiles.turns import turn
from secure_protocol.token import Token

TOKEN = Token.generate()


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    """None yet; the working directory has no certs, the environment no token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SECURE_CLIENT_TOKEN", raising=False)
    return Profiles(tmp_path / "home")


def test_profiles_are_saved_replaced_and_removed(profiles: Profiles) -> None:
    """Under a name, sorted, for this user alone."""
    assert profiles.load() == {}
    profiles.add("b", Profile(endpoint="b:1", token=TOKEN.reveal()))
    profiles.add("a", Profile(endpoint="a:1", ca="/ca.pem"))
    profiles.add("a", Profile(endpoint="a:2"))
    assert list(profiles.load()) == ["a", "b"]
    assert profiles.load()["a"] == Profile(endpoint="a:2")
    assert stat.S_IMODE(profiles.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(profiles.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in profiles.path.parent.iterdir()] == ["profiles.json"]
    profiles.remove("a")
    assert list(profiles.load()) == ["b"]
    with pytest.raises(SetupError, match="no profile `a`"):
        profiles.remove("a")


def test_what_programs_save_in_one_moment_is_all_kept(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads, changes and writes the whole file; the second waits for the first."""
    if sys.platform == "win32":
        pytest.skip("Windows locks no directory")
    load, second = Profiles.load, threading.Thread(target=profiles.add, args=("b", Profile(endpoint="b:1")))

    def slowly(self: Profiles) -> dict[str, Profile]:
        found = load(self)
        if threading.current_thread() is not second:
            second.start()
            second.join(0.2)  # not for its end, for which it needs what this one has
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Profiles, "load", slowly)
        profiles.add("a", Profile(endpoint="a:1"))
    second.join()
    assert list(profiles.load()) == ["a", "b"]


def test_another_program_is_not_waited_for_without_end(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was stopped in the middle: a sentence, and nothing is changed; then it goes on as ever."""
    if sys.platform == "win32":
        pytest.skip("Windows locks no directory")
    profiles.add("a", Profile(endpoint="a:1"))
    ticks = itertools.count()
    monkeypatch.setattr(module, "turn", partial(turn, patience=2, clock=lambda: float(next(ticks))))
    with turn(profiles.path.parent), pytest.raises(SetupError, match="Another program has been changing"):
        profiles.remove("a")
    profiles.add("b", Profile(endpoint="b:1"))
    assert list(profiles.load()) == ["a", "b"]


def test_where_nothing_can_be_locked_profiles_are_saved(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks (some NFS), and a system without them."""
    if sys.platform == "win32":
        pytest.skip("there are none to take away")

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as without:
        without.setattr("fcntl.flock", none)
        profiles.add("a", Profile(endpoint="a:1"))
    monkeypatch.setattr(turns, "fcntl", None)
    profiles.add("b", Profile(endpoint="b:1"))
    assert list(profiles.load()) == ["a", "b"]


def test_a_path_that_is_no_utf8_is_saved_and_read(profiles: Profiles) -> None:
    """As the system has it: it must not damage the file for the other profiles."""
    profiles.add("old", Profile(endpoint="a:1", ca="/home/ana\udcff/ca.pem"))
    profiles.add("new", Profile(endpoint="straße:2"))
    assert profiles.load()["old"].ca == "/home/ana\udcff/ca.pem"
    assert profiles.load()["new"].endpoint == "straße:2"


def test_a_profile_hides_its_token() -> None:
    """Its repr may end in a log."""
    profile = Profile(endpoint="a:1", token=TOKEN.reveal())
    assert TOKEN.secret not in repr(profile)
    with pytest.raises(TypeError):
        list(profile)  # type: ignore[call-overload]  # nothing spells out what it holds
    assert (profile.token_source, Profile(endpoint="a").token_source) == ("saved here", "asked for")


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "a:1", "x" * 65])
def test_a_name_that_is_none(profiles: Profiles, name: str) -> None:
    """It could be taken for an option or an address."""
    with pytest.raises(SetupError, match="no name"):
        profiles.add(name, Profile(endpoint="a:1"))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"a": {}}', '{"a": {"endpoint": 1}}', '{"a": {"endpoint": "b", "x": 1}}', "\xff"]
)
def test_a_damaged_file_is_told(profiles: Profiles, text: str) -> None:
    """And left as it is."""
    profiles.path.parent.mkdir()
    profiles.path.write_text(text, encoding="latin-1")
    with pytest.raises(SetupError, match="is damaged"):
        profiles.add("a", Profile(endpoint="a:1"))
    assert profiles.path.read_text(encoding="latin-1") == text


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    """A sentence with the path, not a traceback."""
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(SetupError, match="Cannot read"):
        Profiles(tmp_path / "file").load()
    profiles = Profiles(tmp_path / "home")
    profiles.path.mkdir(parents=True)
    with pytest.raises(SetupError, match="Cannot read"):
        profiles.load()
    with pytest.raises(SetupError, match="Cannot write"):
        profiles._save({})
    assert [path.name for path in profiles.path.parent.iterdir()] == ["profiles.json"]


def test_where_to_connect(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address given, the profile named, the only profile, or this machine; several profiles are a question."""
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", TOKEN.reveal())
    assert str(resolve(Options(), profiles).endpoint) == "127.0.0.1:5000"
    assert str(resolve(Options("box"), profiles).endpoint) == "box:5000"
    profiles.add("work", Profile(endpoint="work.example:1"))
    assert str(resolve(Options(), profiles).endpoint) == "work.example:1"
    assert str(resolve(Options("box:2"), profiles).endpoint) == "box:2"
    profiles.add("home", Profile(endpoint="home.example:1"))
    assert str(resolve(Options("home"), profiles).endpoint) == "home.example:1"
    with pytest.raises(SetupError, match=r"home, work.*`secure-client home`"):
        resolve(Options(), profiles)


def test_whom_to_believe(profiles: Profiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The option, else the profile's, else certs/ca.pem here, else the system's."""
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", TOKEN.reveal())
    assert resolve(Options("a"), profiles).trust.ca is None
    DEFAULT_CA.parent.mkdir()
    DEFAULT_CA.write_text("", encoding="ascii")
    assert resolve(Options("a"), profiles).trust.ca == DEFAULT_CA
    profiles.add("p", Profile(endpoint="a:1", ca="/p.pem", certificate="/c.pem", key="/k.pem"))
    trust = resolve(Options("p"), profiles).trust
    assert (trust.ca, trust.certificate, trust.key) == (Path("/p.pem"), Path("/c.pem"), Path("/k.pem"))
    trust = resolve(Options("p", ca=Path("o.pem"), certificate=Path("o")), profiles).trust
    assert (trust.ca, trust.certificate, trust.key) == (Path("o.pem"), Path("o"), None)


def test_which_token(profiles: Profiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The option's file, else the environment, else the profile's; a Unix socket needs none."""
    tokens = [Token.generate() for _ in range(4)]
    for number, token in enumerate(tokens):
        (tmp_path / str(number)).write_text(token.reveal() + "\n", encoding="ascii")
    profiles.add("file", Profile(endpoint="a:1", token_file=str(tmp_path / "0")))
    profiles.add("saved", Profile(endpoint="a:1", token=tokens[1].reveal()))
    assert resolve(Options("file"), profiles).token == tokens[0]
    assert resolve(Options("saved"), profiles).token == tokens[1]
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", tokens[2].reveal())
    assert resolve(Options("saved"), profiles).token == tokens[2]
    assert resolve(Options("saved", token_file=tmp_path / "3"), profiles).token == tokens[3]
    assert resolve(Options("unix:/x"), profiles).token is None


def test_no_token_and_nobody_to_ask(profiles: Profiles) -> None:
    """The ways to give one are named."""
    with pytest.raises(AuthenticationError, match=r"SECURE_CLIENT_TOKEN.*--token-file"):
        resolve(Options("a"), profiles)


def test_a_token_file_that_holds_none(tmp_path: Path) -> None:
    """Missing, empty, or something else: named, and its content never repeated."""
    with pytest.raises(AuthenticationError, match="Cannot read the token file"):
        read_token(tmp_path / "none")
    for text in ("", "hunter2", "scs_x", "\xff" * 10_000):
        (tmp_path / "token").write_text(text, encoding="latin-1")
        with pytest.raises(AuthenticationError, match="token: This is no token") as failure:
            read_token(tmp_path / "token")
        assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, None),
        ({"LANG": "C.UTF-8"}, None),
        ({"LANG": "POSIX"}, None),
        ({"LANG": "pt_BR.UTF-8"}, "pt_BR"),
        ({"LANG": "en"}, "en"),
        ({"LANG": "de_DE@euro"}, "de_DE"),
        ({"LANG": "pt_BR", "LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8"}, "en_US"),
        ({"LANG": "pt_BR", "LC_ALL": "C", "LC_MESSAGES": "en_US"}, None),
        ({"LANG": "\x1b[31m"}, None),
    ],
)
def test_the_language_of_the_locale(environment: dict[str, str], language: str | None) -> None:
    """As POSIX orders the variables; C means none."""
    assert language_of(environment) == language


def test_the_places_of_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG's where there is XDG; SECURE_CLIENT_HOME puts both into one."""
    monkeypatch.delenv("SECURE_CLIENT_HOME", raising=False)
    for directory in (places.config_directory(), places.state_directory()):
        assert "secure-client" in directory.parts
        assert not directory.is_relative_to(tmp_path)
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path))
    assert places.config_directory() == places.state_directory() == tmp_path
    mode = tmp_path.stat().st_mode
    places.make_private_directory(tmp_path)
    assert tmp_path.stat().st_mode == mode, "a directory of somebody else's was changed"
