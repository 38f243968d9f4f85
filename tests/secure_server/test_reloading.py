"""Another configuration while the server runs: all of it or nothing, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_server.auth.certificates import CertificateSettingError, Grant
from secure_server.auth.principal import Role
from secure_server.commands.loading import LoadingError
from secure_server.config.changes import ReloadRefusedError
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.limits.descriptors import Fitted, TooFewDescriptorsError, fit
from secure_server.reloadable import Grants, OwnCommands, Room
from secure_server.reloading import UNUSABLE, told
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken

LS: dict[str, object] = {"run": ["ls"]}


def declaring(**commands: object) -> Config:
    """A configuration with these commands."""
    return load(None, {"commands": commands})


@pytest.fixture
def own(host: Host) -> OwnCommands:
    """The commands of a host, of which those of the configuration may change."""
    own = OwnCommands(host.config)
    host.parts.append(own.part(host.sessions))
    host.registry.take_up(own.registry)
    own.registry = host.registry
    return own


def reload(host: Host, config: Config) -> str:
    """Reload, and return what is other then."""
    host.file = config
    return ", ".join(host.reloading.reload("SIGHUP").changed)


def pushes(host: Host, session: Session) -> list[object]:
    """What a session is told unasked."""
    while not host.handed_over.empty():
        host.turn()
    decoder = ReplyDecoder()
    decoder.feed(taken(session))
    return decoder.decode()


def test_commands_come_change_and_go(host: Host, own: OwnCommands) -> None:
    """Those of the file; the others stay as they are, and so does one whose table says the same."""
    lasting = set(own.registry.ordered)
    assert reload(host, declaring(A=LS, B=LS)) == "commands.A, commands.B"
    first = {name: own.registry.named(name) for name in ("A", "B")}
    assert reload(host, declaring(A=LS, B={**LS, "role": "admin"})) == "commands.B"
    assert own.registry.named("A") is first["A"]
    changed = own.registry.named("B")
    assert changed is not None
    assert (changed is not first["B"], changed.role) == (True, Role.ADMIN)
    assert reload(host, declaring(B={**LS, "role": "admin"})) == "commands.A"
    assert own.registry.named("A") is None
    assert set(own.registry.ordered) - {changed} == lasting


def test_what_sessions_remember_stays_good_where_no_command_changed(host: Host, own: OwnCommands) -> None:
    """They go by the edition, which is the same."""
    reload(host, declaring(A=LS))
    edition = own.registry.edition
    commands: dict[str, object] = {"A": {**LS}}
    assert reload(host, load(None, {"commands": commands, "limits": {"max_clients": 7}})) == "limits.max_clients"
    assert own.registry.edition is edition


def test_nothing_is_taken_up_where_nothing_changed(host: Host) -> None:
    """No part is asked to; log and trail say so."""
    host.parts.append(told(lambda _config: pytest.fail("nothing changed")))
    assert reload(host, load(None)) == ""
    assert host.reloads == [("", "unchanged SIGHUP", {"changed": "", "restart": ""})]


def test_what_takes_a_restart_is_named_and_nothing_else_is_taken_up(host: Host) -> None:
    """Each time anew, until there is one."""
    host.parts.append(told(lambda _config: pytest.fail("nothing that a running server can take up")))
    for _ in range(2):
        reload(host, load(None, {"listen": {"port": 7}, "threads": {"workers": 9}}))
        assert host.reloads[-1][2] == {"changed": "", "restart": "listen.port, threads.workers"}
    assert host.reloading.running == host.config


ERRORS: list[tuple[type[Exception], str]] = [(kind, f"This is wrong: {kind.__name__}.") for kind in UNUSABLE]


@pytest.mark.parametrize(("kind", "why"), ERRORS, ids=[kind.__name__ for kind, _ in ERRORS])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_whatever_is_wrong_all_stays_as_it_is(host: Host, kind: type[Exception], why: str, where: int) -> None:
    """Whichever part finds it, none has taken anything up; the reason is told, logged, recorded, and can be asked."""
    took: list[Config] = []

    def wrong(_config: Config) -> Callable[[], None]:
        raise kind(why)

    host.parts += [told(took.append), told(took.append)]
    host.parts.insert(where, wrong)
    before = host.reloading.running
    with pytest.raises(ReloadRefusedError, match=f"^{why}$"):
        reload(host, load(None, {"limits": {"max_clients": 7}}))
    assert took == []
    assert host.reloading.running is before
    assert host.reloads == [("", "kept SIGHUP", {"why": why})]
    with pytest.raises(ReloadRefusedError, match=f"^{why}$"):
        host.reloading.check()
    assert len(host.reloads) == 1
    del host.parts[where]
    assert reload(host, load(None, {"limits": {"max_clients": 7}})) == "limits.max_clients"
    assert took == [host.file, host.file]


def test_a_command_that_cannot_be_keeps_all_others_as_they_are(host: Host, own: OwnCommands) -> None:
    """A mistake in its table, or a name that a built-in one has; also beside changes that could be taken up."""
    reload(host, declaring(A=LS))
    edition, limits = own.registry.edition, {"limits": {"max_clients": 7}}
    for commands, why in (
        ({"B": LS, "C": {"run": []}}, "commands.C.run"),
        ({"B": LS, "PING": LS}, "the command PING is defined twice"),
        ({"B": LS, "b": LS}, "the command B is defined twice"),
    ):
        with pytest.raises(ReloadRefusedError, match=why):
            reload(host, load(None, {"commands": commands, **limits}))
        assert own.registry.edition is edition
        assert host.reloading.running.limits.max_clients == 10_000


def test_who_reloaded_is_told(host: Host) -> None:
    """Also what changed, by its keys alone."""
    host.file = load(None, {"language": "pt_BR", "threads": {"workers": 9}})
    answer = host.ask(host.local(), "CONFIG RELOAD")
    assert answer == "Taken up: language. Needs a restart: threads.workers.\n"
    detail = {"changed": "language", "restart": "threads.workers"}
    assert host.reloads == [("local:root", "reloaded CONFIG RELOAD", detail)]


def test_the_commands_say_what_there_is(host: Host, own: OwnCommands) -> None:
    """CHECK without doing it, DIFF key by key, RELOAD with doing it; and then there is nothing left."""
    admin = host.local()
    assert host.ask(admin, "CONFIG CHECK") == "Nothing to take up.\n"
    assert "The file says what runs." in host.ask(admin, "CONFIG DIFF")
    host.file = load(None, {"commands": {"A": {**LS, "environment": {"K": "hunter2"}}}, "listen": {"port": 7}})
    assert host.ask(admin, "CONFIG CHECK") == "A reload would take up: commands.A. Needs a restart: listen.port.\n"
    assert own.registry.named("A") is None
    told_of = host.ask(admin, "CONFIG DIFF")
    assert "hunter2" not in told_of
    rows = [line.split() for line in told_of.splitlines()]
    assert ["listen.port", "5000", "7", "yes"] in rows
    assert ["commands.A.run", "-", '["ls"]', "no"] in rows
    assert host.ask(admin, "CONFIG RELOAD") == "Taken up: commands.A. Needs a restart: listen.port.\n"
    assert host.ask(admin, "CONFIG CHECK") == "Nothing to take up. Needs a restart: listen.port.\n"


@pytest.mark.parametrize("command", ["CONFIG RELOAD", "CONFIG CHECK", "CONFIG DIFF"])
def test_a_file_that_cannot_be_used_is_told(host: Host, command: str) -> None:
    """In the words of the start."""
    host.file = ConfigError("The configuration a.toml: this is wrong.")
    assert host.ask(host.local(), command) == (
        "ERROR: The configuration is kept as it is: The configuration a.toml: this is wrong.\n"
    )


@pytest.mark.parametrize("command", ["CONFIG RELOAD", "CONFIG CHECK", "CONFIG DIFF"])
def test_nobody_else_may(host: Host, command: str) -> None:
    """Operators neither."""
    assert "needs the role admin" in host.ask(host.user(role=Role.OPERATOR), command)


def test_those_are_told_whose_commands_are_others(host: Host, own: OwnCommands) -> None:
    """RESP3 clients that have authenticated; not of what they may not run, nor where no command changed."""
    user, operator, old = host.program(3, "a"), host.program(3, "b", Role.OPERATOR), host.program(2, "c")
    line, stranger = host.user("d"), host.session()
    host.call(stranger, "HELLO", "3")
    assert host.call(old, "NOTIFY", "on") == b"+OK\r\n"  # messages of people, and no others
    assert host.ask(line, "NOTIFY on") == "OK\n"
    everybody = (user, operator, old, line, stranger)
    news = Push("commands-changed")
    reload(host, declaring(A={**LS, "role": "operator"}))
    assert [pushes(host, session) for session in everybody] == [[], [news], [], [], []]
    reload(host, declaring(A=LS))  # the user may run it now
    assert [pushes(host, session) for session in everybody] == [[news], [news], [], [], []]
    reload(host, declaring())
    assert [pushes(host, session) for session in everybody] == [[news], [news], [], [], []]
    reload(host, load(None, {"language": "pt_BR"}))
    assert [pushes(host, session) for session in everybody] == [[]] * 5


def test_what_is_told_of_commands_follows(host: Host, own: OwnCommands) -> None:
    """Each of the commands that list them."""
    session = host.program()
    for words in (["COMMANDS"], ["HELP"], ["COMMAND", "LIST"], ["COMMAND", "DOCS"], ["COMMAND", "INFO"]):
        assert b"bellow" not in host.call(session, *words).lower()
    reload(host, declaring(BELLOW=LS))
    pushes(host, session)
    for words in (["COMMANDS"], ["HELP"], ["COMMAND", "LIST"], ["COMMAND", "DOCS"], ["COMMAND", "INFO"]):
        assert b"bellow" in host.call(session, *words).lower()


def test_grants_that_stay_keep_what_was_used_of_their_rate(host: Host) -> None:
    """Another rate begins anew, and so does another grant; nobody is told where nothing is other."""
    tls, alice = {"client_certificates": "optional"}, {"alice": {"role": "user"}, "bob": {"role": "user"}}
    config = load(None, {"tls": tls, "certificates": alice, "limits": {"commands_per_second": 5}})
    grants, heard = Grants(config, host.clock), list[dict[str, Grant]]()
    part = grants.part(heard.append)
    before = grants.present["alice"].bucket
    part(config)()
    assert heard == []
    other = load(None, {"tls": tls, "certificates": {"alice": {"role": "user"}}, "limits": {"commands_per_second": 5}})
    part(other)()
    assert [list(item) for item in heard] == [["alice"]]
    assert grants.present["alice"].bucket is before
    part(load(None, {"tls": tls, "certificates": alice, "limits": {"commands_per_second": 6}}))()
    assert grants.present["alice"].bucket is not before
    with pytest.raises(CertificateSettingError):
        part(load(None, {"tls": tls, "certificates": {"a b": {"role": "user"}}}))


def fitting(limit: int) -> Callable[[Config], Fitted]:
    """What there is room for with so many descriptors."""
    return lambda config: fit(config, 16, 2, limit, 10)


def test_there_is_no_more_room_for_connections_than_descriptors() -> None:
    """What did not change is as at the start; all else is fitted, or refused where programs would lack some."""
    asked = load(None)
    heard: list[Config] = []
    room = Room(fitting(2000)(asked), asked, fitting(2000))
    part = room.part(heard.append)
    part(asked)()
    assert heard[-1].limits == fitting(2000)(asked).config.limits
    few = load(None, {"limits": {"max_clients": 5}})
    part(few)()
    assert heard[-1].limits.max_clients == 5
    many = load(None, {"limits": {"max_clients": 5000}, "threads": {"workers": 30, "spare": 0}})
    tight = Room(fitting(5000)(many), many, fitting(400)).part(heard.append)
    with pytest.raises(TooFewDescriptorsError, match=r"raise the limit .* and start the server anew"):
        tight(load(None, {"limits": {"max_clients": 4000}, "threads": {"workers": 30, "spare": 0}}))
    jobs = {"threads": {"workers": 1, "spare": 0, "jobs": 30}}
    many = load(None, {"limits": {"max_clients": 5000}, **jobs})
    tight = Room(fitting(5000)(many), many, fitting(1000)).part(heard.append)
    with pytest.raises(TooFewDescriptorsError, match=r"raise the limit .* and start the server anew"):
        tight(load(None, {"limits": {"max_clients": 4000}, **jobs}))


def test_a_module_that_cannot_be_loaded_is_found_at_the_start(tmp_path: Path) -> None:
    """And never looked at again: its commands last as long as the server."""
    with pytest.raises(LoadingError):
        OwnCommands(load(None, {"commands": {"modules": [str(tmp_path / "none.py")]}}))
