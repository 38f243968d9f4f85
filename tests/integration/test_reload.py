"""Another configuration under a running server: what acts, who is told, and that nobody loses anything by it."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_client import Client, CommandFailed, RevokedError
from secure_client.core.endpoint import Endpoint
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_requests import encode_request
from secure_server.admin import ADMIN_SOCKET
from secure_server.audit.trail import AuditTrail
from secure_server.auth.principal import Role
from secure_server.config.file import load, settings
from secure_server.config.taken import Taken
from secure_server.server import Server
from tests.conftest import ServerFactory
from tests.integration.conftest import Start
from tests.integration.peers import RespPeer
from tests.integration.program import Program
from tests.integration.running import Running, eventually, logged

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

SAY: dict[str, object] = {"run": ["printf", "%s", "one"]}
TAKEN_UP = "Taken up: {}."


def reload(running: Running, **overrides: object) -> str:
    """Change the configuration, and return what CONFIG RELOAD says."""
    running.configure(**overrides)
    with running.resp(running.token(Role.ADMIN)) as admin:
        admin.request("CONFIG", "RELOAD")
        return str(answer(admin))


def answer(peer: RespPeer) -> object:
    """Return the next reply, without what is said unasked, and with the parts of a stream joined."""
    parts = []
    while isinstance(reply := peer.reply(), Push):
        if reply.kind == "stream":
            parts.append(str(reply.items[0]))
    return "".join(parts) if parts and not isinstance(reply, ErrorReply) else reply


def ask(peer: RespPeer, *words: str) -> object:
    """Send one request, and return what it is answered."""
    peer.request(*words)
    return answer(peer)


OTHER: dict[str, tuple[object, Callable[[Server], object]]] = {
    "language": ("pt_BR", lambda server: server.reception._terms.language),
    "admin.networks": (["10.0.0.0/8"], lambda server: [*server._admin_networks._networks]),
    "authentication.mechanisms": ("scram", lambda server: server._entrance.admission._mechanisms),
    "metrics.networks": (["10.0.0.0/8"], lambda server: [*server._shared.running().metrics.networks]),
    "timeouts.handshake": (7.0, lambda server: server._reach.tls._handshakes.seconds),
    "timeouts.authentication": (7.0, lambda server: server._reach.threads._threads[0]._timeouts.authentication),
    "timeouts.request": (7.0, lambda server: server._reach.threads._threads[0]._timeouts.request),
    "timeouts.idle": (7.0, lambda server: server._reach.threads._threads[0]._timeouts.idle),
    "timeouts.write": (7.0, lambda server: server._reach.threads._threads[0]._timeouts.write),
    "timeouts.linger": (
        7.0,
        lambda server: {
            server._reach.threads._threads[0]._lingering.seconds,
            server._reach.tls._lingering.seconds,
        }.pop(),
    ),
    "timeouts.drain": (7.0, lambda server: server.config.timeouts.drain),
    "requests.line": (2048, lambda server: server.reception._terms.known.line_bytes),
    "requests.arguments": (9, lambda server: server.reception._terms.known.arguments),
    "requests.argument": (2048, lambda server: server.reception._terms.known.argument_bytes),
    "requests.request": (600 * 1024, lambda server: server.reception._terms.known.request_bytes),
    "limits.max_clients": (7, lambda server: server.sessions.most),
    "limits.max_unauthenticated": (7, lambda server: server.sessions._newcomers.most),
    "limits.unauthenticated_per_source": (7, lambda server: server.sessions._newcomers.per_source),
    "limits.commands_per_second": (7, lambda server: _rate(server)[0]),
    "limits.commands_burst": (7, lambda server: _rate(server)[1]),
    "limits.max_admin_clients": (7, lambda server: server.reception._most_administrators),
    "limits.pending_requests": (7, lambda server: server.reception._terms.most_waiting),
    "limits.pending_bytes": (128 * 1024, lambda server: server.reception._terms.reserve.most * 64 * 1024),
    "limits.pending_total": (2 * 1024 * 1024, lambda server: server.reception._terms.reserve.free),
    "limits.output_high_water": (2048, lambda server: server.reception._terms.high_water),
    "jobs.queue": (7, lambda server: server._jobs._settings.queue),
    "jobs.output": (2048, lambda server: server._jobs._settings.output),
    "jobs.disk": (2048, lambda server: server._jobs._settings.disk),
    "jobs.keep": (7, lambda server: server._jobs._settings.keep),
    "jobs.keep_for": (7.0, lambda server: server._jobs._settings.keep_for),
    "log.max_lines_per_second": (7, lambda server: server._activity._most_lines),
    "log.max_size": (2048, lambda server: server._activity._file._handler.maxBytes),
    "log.keep": (7, lambda server: server._activity._file._handler.backupCount),
    "log.queue": (7, lambda server: server._activity._most_queued),
    "audit.on_failure": ("stop", lambda server: "stop" if _trail(server)._stops else "continue"),
    "audit.failures_per_second": (7, lambda server: _trail(server)._flood.per_second),
    "audit.sync": (7.0, lambda server: _trail(server)._settings.sync),
    "audit.queue": (7, lambda server: _trail(server)._settings.queue),
    "penalties.first": (7.0, lambda server: server._entrance.penalties._settings.first),
    "penalties.minimum": (7.0, lambda server: server._entrance.penalties._settings.minimum),
    "penalties.most": (7.0, lambda server: server._entrance.penalties._settings.most),
    "penalties.table": (7, lambda server: server._entrance.penalties._settings.table),
    "penalties.exempt": (
        ["10.0.0.0/8"],
        lambda server: [str(network) for network in server._entrance.penalties._exempt],
    ),
}
"""Of each setting that a reload changes: another value, and where the server has the one that holds."""


def _rate(server: Server) -> tuple[float, int]:
    rates = server._authenticator._rates
    assert rates is not None
    bucket = rates.bucket("nobody", None)
    return (0, 0) if bucket is None else (bucket.per_second, bucket.burst)


def _trail(server: Server) -> AuditTrail:
    assert server._trail is not None
    return server._trail


def test_each_setting_takes_a_restart_or_is_taken_up(certificates: Path, tmp_path: Path) -> None:
    """What docs/configuration.md says of it is so: the value that holds is another after the reload, and no sooner."""
    changeable = {setting.key for setting in settings() if setting.taken is not Taken.RESTART}
    assert changeable == set(OTHER)
    before: dict[str, object] = {
        "certs_dir": str(certificates),
        "data_dir": str(tmp_path / "data"),
        "language": "en",
        "limits": {"commands_per_second": 5},
        "web": {"enabled": True, "bearer": True},  # which some of them need
    }
    after = dict(before)
    for key, (other, _) in OTHER.items():
        table, _, name = key.rpartition(".")
        if table:
            found = after.get(table)
            after[table] = {**(found if isinstance(found, dict) else {}), name: other}
        else:
            after[name] = other
    server = Server(load(None, before), read=lambda: load(None, after).located())
    try:
        held = {key: where(server) for key, (_, where) in OTHER.items()}
        server.reload()
        for key, (other, where) in OTHER.items():
            assert where(server) == other, key
            assert held[key] != other, key
    finally:
        server._stop_threads()


def test_commands_come_change_and_go_while_a_client_is_connected(server: ServerFactory) -> None:
    """On the same connection, with nothing but the commands changed; and it is told each time."""
    running = server()
    with running.resp() as user:
        assert isinstance(ask(user, "SAY"), ErrorReply)
        assert reload(running, commands={"SAY": SAY}) == TAKEN_UP.format("commands.SAY")
        assert user.reply() == Push("commands-changed")
        assert ask(user, "SAY") == "one"
        assert reload(running, commands={"SAY": {"run": ["printf", "two"]}}) == TAKEN_UP.format("commands.SAY")
        assert ask(user, "SAY") == "two"
        assert reload(running, commands=None) == TAKEN_UP.format("commands.SAY")
        assert isinstance(gone := ask(user, "SAY"), ErrorReply)
        assert gone.text.startswith("Unknown command.")


def test_whoever_is_outside_the_admins_networks_now_is_an_operator_at_once(server: ServerFactory) -> None:
    """Also whoever took the networks away; it is told that its commands are others, and the admin socket mends it."""
    running = server()
    with running.resp(running.token(Role.ADMIN)) as admin:
        assert reload(running, admin={"networks": ["10.0.0.0/8"]}) == TAKEN_UP.format("admin.networks")
        assert admin.reply() == Push("commands-changed")
        assert ask(admin, "WHOAMI") == "admin (operator)"
        assert isinstance(refused := ask(admin, "CONFIG", "RELOAD"), ErrorReply)
        assert (refused.code, "admin.networks" in refused.text, "10.0" in refused.text) == ("NOPERM", True, False)
        running.configure(admin=None)
        with Client(Endpoint(path=running.data / ADMIN_SOCKET)) as owner:
            assert owner.execute("CONFIG", "RELOAD") == TAKEN_UP.format("admin.networks")
        assert admin.reply() == Push("commands-changed")
        assert ask(admin, "WHOAMI") == "admin (admin)"


def test_what_runs_goes_on_by_what_it_began_with(server: ServerFactory) -> None:
    """Until its own end, though the command is gone; what waits behind it is judged by what holds then."""
    running = server()
    pipe = running.data.parent / "pipe"
    os.mkfifo(pipe)
    reload(running, commands={"HOLD": {"run": ["sh", "-c", f"echo began; cat {pipe}"]}})
    with running.resp() as user:
        user.request("HOLD")
        assert user.reply() == Push("stream", ("began",))
        user.request("HOLD")
        assert reload(running, commands=None) == TAKEN_UP.format("commands.HOLD")
        pipe.write_text("ended\n")
        assert answer(user) == "ended"
        assert isinstance(answer(user), ErrorReply)


def test_limits_hold_for_whoever_comes(server: ServerFactory) -> None:
    """A place less, another language, fewer arguments, a rate; whoever is in stays as it is."""
    running = server()
    with running.resp() as before:
        reload(
            running, language="pt_BR", requests={"arguments": 8}, limits={"commands_per_second": 1, "commands_burst": 1}
        )
        assert ask(before, "ECHO", *"abcdefghij") == "a b c d e f g h i j"
        with running.resp() as after:
            assert "argumentos" in str(ask(after, "ECHO", *"abcdefghij"))
        with running.resp() as after:
            answers = [str(ask(after, "WHOAMI")) for _ in range(3)]
            assert any("THROTTLED" in item for item in answers)
        assert "THROTTLED" not in "".join(str(ask(before, "WHOAMI")) for _ in range(3))
        reload(running, limits={"max_clients": 1}, language="en")
        with running.resp(None) as one_too_many:
            assert "THROTTLED" in str(ask(one_too_many, "AUTH", running.token()))
        assert ask(before, "ECHO", "x") == "x"


def test_a_mistake_changes_nothing_and_is_told(server: ServerFactory) -> None:
    """In the reply, in the log, and in the trail, with who it was; keys, but no values, of what did change."""
    running = server(commands={"SAY": SAY})
    wrong = {"SAY": {"run": ["printf", "two"]}, "BAD": {"run": []}}
    said = reload(running, commands=wrong, language="pt_BR")
    assert said.startswith("ERROR: The configuration is kept as it is: The configuration: commands.BAD.run")
    with running.resp() as user:
        assert ask(user, "SAY") == "one"
        assert "Unknown command." in str(ask(user, "NOTHING"))
    reload(running, commands={"SAY": {"run": ["printf", "hunter2"]}}, threads={"workers": 9})
    logged(running, r"level=ERROR source=\S+ the configuration was not reloaded: .*commands\.BAD\.run")
    logged(running, r"configuration reloaded by admin: language, commands\.SAY; needs a restart: threads\.workers")
    lines = "".join(path.read_text(encoding="utf-8") for path in running.data.glob("audit-*.jsonl")).splitlines()
    records = [json.loads(line) for line in lines]
    kept, reloaded = [record for record in records if record["event"] == "configuration"]
    assert (kept["outcome"], kept["who"], kept["detail"]["cause"]) == ("kept", "admin", "CONFIG RELOAD")
    assert "commands.BAD.run" in kept["detail"]["why"]
    assert reloaded["detail"] == {
        "cause": "CONFIG RELOAD", "changed": "language, commands.SAY", "restart": "threads.workers"
    }  # fmt: skip
    assert "hunter2" not in running.log() + str(records)


def test_who_is_connected_by_a_certificate_is_judged_by_its_table_of_now(start: Start, pki: Path) -> None:
    """Another role holds in the session that is there; one whose table went ends, and is told why."""
    both = {"alice": {"role": "operator"}, "bob": {"role": "user"}}
    running = start("optional", both)
    keys = {name: (pki / f"client-{name}.pem", pki / f"client-{name}-key.pem") for name in both}
    connect = functools.partial(Client, f"localhost:{running.port}", ca=pki / "ca.pem")
    with (
        connect(certificate=keys["alice"][0], key=keys["alice"][1]) as alice,
        connect(certificate=keys["bob"][0], key=keys["bob"][1]) as bob,
    ):
        assert "operator" in str(alice.execute("WHOAMI"))
        running.configure(certificates={"alice": {"role": "user", "allow": ["ECHO"]}})
        with Client(f"unix:{running.data / ADMIN_SOCKET}") as admin:
            said = admin.execute("CONFIG", "RELOAD")
        assert said == TAKEN_UP.format("certificates.alice, certificates.bob")
        assert "user" in str(alice.execute("WHOAMI"))
        with pytest.raises(CommandFailed, match="NOPERM"):
            alice.execute("TIME")
        eventually(lambda: isinstance(bob.status.error, RevokedError))
        assert alice.status.error is None


def test_the_bundled_client_completes_by_what_there_is(server: ServerFactory) -> None:
    """It asks anew by itself, and tells whoever listens; one that never asked does not."""
    running = server(commands={"SAY": SAY})
    heard: list[Push] = []
    with Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client:
        client.on_push = heard.append
        reload(running, commands={"SAY": SAY, "MORE": SAY})
        eventually(lambda: heard == [Push("commands-changed")])
        assert not client.catalogue
        assert {"SAY", "MORE"} <= set(client.commands().names)
        reload(running, commands={"OTHER": SAY})
        eventually(lambda: "OTHER" in client.catalogue.names)
        assert not {"SAY", "MORE"} & set(client.catalogue.names)
        assert client.execute("OTHER") == ["one"]


def under_load(running: Running, rounds: int, clients: int, known: int) -> None:
    """Reload again and again while clients pipeline, and compare every reply.

    Each round has commands that are there for good, one that says the round's number, and one that is there in every
    other round. Whatever a request is answered must have been right at some moment between its sending and its answer.
    """
    seen = [0]  # the last round that was confirmed
    begun = [0]  # the last round that began
    over = threading.Event()
    problems: list[str] = []

    def commands(number: int) -> dict[str, object]:
        found: dict[str, object] = {"ROUND": {"run": ["printf", str(number)]}, "LASTING": SAY}
        return found | ({"ODD": SAY} if number % 2 else {})

    running.configure(commands=commands(0))
    assert "commands.ROUND" in reload(running)

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - which requests, not a secret
        with running.resp() as peer:
            while not over.is_set():
                batch = [
                    chance.choice((["ROUND"], ["LASTING"], ["ODD"], ["PING"], ["ECHO", "x"], ["ECHO", "y"]))
                    for _ in range(chance.randrange(1, known))
                ]
                earliest = seen[0]
                peer.send(b"".join(encode_request([word.encode() for word in words]) for words in batch))
                for words in batch:
                    said, latest = answer(peer), begun[0]
                    if not _right(words, said, earliest, latest):
                        problems.append(f"{words}: {said!r} in rounds {earliest} to {latest}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    with running.resp(running.token(Role.ADMIN)) as admin:
        for number in range(1, rounds + 1):
            begun[0] = number
            running.configure(commands=commands(number), limits={"max_clients": 100 + number})
            said = str(ask(admin, "CONFIG", "RELOAD"))
            seen[0] = number
            assert "commands.ROUND" in said, said
    over.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert problems == []


def _right(words: list[str], said: object, earliest: int, latest: int) -> bool:
    name, gone = words[0], isinstance(said, ErrorReply) and said.text.startswith("Unknown command.")
    if name == "ROUND":
        return str(said) in map(str, range(earliest, latest + 1))
    if name == "ODD":
        wanted = {number % 2 for number in range(earliest, latest + 1)}
        return (said == "one" and 1 in wanted) or (gone and 0 in wanted)
    return said == {"LASTING": "one", "PING": "PONG"}.get(name, words[-1])


def test_reloads_under_load_lose_no_request(server: ServerFactory) -> None:
    """Ten of them, with three clients."""
    under_load(server(), rounds=10, clients=3, known=6)


@pytest.mark.long
def test_a_hundred_reloads_under_load_lose_no_request(server: ServerFactory) -> None:
    """With eight clients that pipeline up to forty requests, on two loops."""
    under_load(server(threads={"io": 2, "workers": 4}), rounds=100, clients=8, known=40)


def test_a_removed_command_is_never_answered_after_the_reload(server: ServerFactory) -> None:
    """Nor by what a session remembers: once CONFIG RELOAD is answered, whatever is sent is judged by what holds."""
    running = server(threads={"io": 2})
    ours = running.server.registry
    echo = ours.named("ECHO")
    assert echo is not None
    with running.resp() as user, running.resp() as other:
        for _ in range(20):
            for peer in (user, other):
                assert [ask(peer, "ECHO", "x") for _ in range(3)] == ["x"] * 3
            whole, less = ours.copy(), type(ours)()
            for item in ours:
                if item is not echo:
                    less.add(item)
            ours.take_up(less)
            assert all(isinstance(ask(peer, "ECHO", "x"), ErrorReply) for peer in (user, other))
            ours.take_up(whole)


@pytest.mark.usefixtures("unmeasured")
def test_a_signal_takes_the_file_up_and_the_command_line_stays(certificates: Path, tmp_path: Path) -> None:
    """SIGHUP, as a process of its own: a changed file, a mistake in it, none, and a port that it says otherwise."""
    file = tmp_path / "secure-server.toml"
    file.write_text('[commands.SAY]\nrun = ["printf", "one"]\n')
    with Program(certificates, tmp_path / "data", "--config", str(file)) as program:
        port = program.port
        file.write_text('[listen]\nport = 1\n[commands.SAY]\nrun = ["printf", "two"]\n[threads]\nworkers = 9\n')
        program.reload("configuration reloaded by SIGHUP: commands.SAY; needs a restart: threads.workers")
        assert port == program.port
        file.write_text("[commands.SAY]\nrun = []\n")
        program.reload("the configuration was not reloaded: The configuration: commands.SAY.run")
        file.unlink()
        program.reload(f"the configuration was not reloaded: The configuration {file} cannot be read")
        file.write_text("")
        program.reload("configuration reloaded by SIGHUP: commands.SAY")
        program.reload("configuration reloaded by SIGHUP: nothing changed")
        assert len(re.findall("certificate reloaded: ", program.stderr())) == 5


def test_the_admin_socket_is_told_of_commands_as_well(server: ServerFactory) -> None:
    """Who is there by the system's word alone."""
    running = server()
    with Client(f"unix:{running.data / ADMIN_SOCKET}") as client:
        assert "SAY" not in client.commands().names
        running.configure(commands={"SAY": SAY})
        running.server.reload()
        eventually(lambda: "SAY" in client.catalogue.names)
