"""Where profiles and the history are: in a directory that nobody else may write."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs
import pytest
from prompt_toolkit.history import InMemoryHistory

from secure_client import SetupError
from secure_client.profiles import places
from secure_client.profiles.profiles import Profile, Profiles
from secure_client.terminal.prompt.history import open_history

if sys.platform == "win32":
    pytest.skip("owners and modes as POSIX has them", allow_module_level=True)


def _refused(home: Path, sentence: str) -> None:
    before = sorted(home.iterdir())
    profiles = Profiles(home)
    for step in (profiles.load, lambda: profiles.add("a", Profile(endpoint="a:1"))):
        with pytest.raises(SetupError, match=sentence):
            step()
    assert isinstance(open_history("history"), InMemoryHistory)
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_what_others_may_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    """They could name the server to connect to, or lead a history to another file; the sentence says what mends it."""
    monkeypatch.setenv(places.HOME_VARIABLE, str(tmp_path))
    (tmp_path / "history").symlink_to(tmp_path / "other")
    tmp_path.chmod(mode)
    _refused(tmp_path, f"run: chmod go-w {tmp_path}")
    tmp_path.chmod(0o755)
    assert Profiles(tmp_path).load() == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give a directory away")
def test_another_users_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root, too, whom they could lead to any file."""
    monkeypatch.setenv(places.HOME_VARIABLE, str(tmp_path))
    os.chown(tmp_path, 65534, 65534)
    _refused(tmp_path, "another user's")


@pytest.mark.skipif(sys.platform != "linux", reason="the others' places are asked for")
@pytest.mark.parametrize("named", ["/elsewhere", "", "relative", None])
def test_the_places_are_those_of_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None) -> None:
    """As `platformdirs` has them, which takes longer to import than most commands to run."""
    monkeypatch.delenv(places.HOME_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if named is not None:
            monkeypatch.setenv(variable, named)
    if named == "relative":  # the specification has those ignored
        assert places.config_directory() == tmp_path / ".config" / "secure-client"
        assert places.state_directory() == tmp_path / ".local" / "state" / "secure-client"
        return
    assert str(places.config_directory()) == platformdirs.user_config_dir("secure-client", appauthor=False)
    assert str(places.state_directory()) == platformdirs.user_state_dir("secure-client", appauthor=False)
