"""The deployment in examples/ops does what its README says, tried in a directory by whoever runs the tests."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.job_policy import contradictions
from secure_server.commands.loading import load as load_modules
from secure_server.commands.loading import load_declared
from secure_server.commands.registry import Registry
from secure_server.config.file import load
from secure_server.limits.descriptors import wanted
from secure_server.net.lingering import MOST_LINGERING
from secure_server.server import DATABASE, WORKERS_STOP_SECONDS
from secure_server.starting import ADMIN_WORKERS
from tests.integration.peers import PATIENCE_SECONDS, RespPeer, TextPeer
from tests.integration.program import Program
from tests.integration.running import NOBODY, connect, eventually

if sys.platform == "win32":
    pytest.skip("a deployment of POSIX programs", allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
OPS = ROOT / "examples" / "ops"
WAITS = '#!/bin/sh\n[ "$1" = staging ] || read -r line <"{gate}"\necho "$1 passed"\n'
"""In place of checks that take their time: they pass when somebody opens the gate, and at once in staging."""


class Tried:
    """The deployment in a directory, and a server that runs by it.

    Args:
        directory: where `install.sh --try` put it.
        certificates: with the CA.
    """

    def __init__(self, directory: Path, certificates: Path) -> None:
        self.directory = directory
        self.config = directory / "etc" / "secure-server" / "secure-server.toml"
        self.site = directory / "srv" / "site"
        self.told = directory / "var" / "lib" / "secure-ops" / "told"
        self._data = directory / "var" / "lib" / "secure-server"
        self._ca = certificates / "ca.pem"
        self.configure(self.config.read_text(encoding="utf-8").replace('drain = "2m"', 'drain = "1s"'))
        self._data.mkdir(mode=0o700)
        with SQLiteTokenStorage(self._data / DATABASE) as storage:
            tokens = Tokens(storage)
            self.tokens = {role: tokens.create(role.label, role).reveal() for role in (Role.USER, Role.OPERATOR)}
        self.program = Program(certificates, self._data, "--config", str(self.config))

    def text(self, role: Role = Role.OPERATOR) -> TextPeer:
        """Connect as a person."""
        peer = TextPeer(connect(self.program.port, self._ca))
        assert peer.ask(f"AUTH {self.tokens[role]}") == "OK"
        return peer

    def resp(self) -> RespPeer:
        """Connect as an operator's program, with RESP3."""
        peer = RespPeer(connect(self.program.port, self._ca))
        peer.hello(self.tokens[Role.OPERATOR])
        return peer

    def admin(self, line: str) -> str:
        """Ask on the admin socket."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self._data / "admin.sock"))
        with TextPeer(sock) as peer:
            return peer.ask(line)

    def client(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `secure-client` as an operator, without a terminal."""
        argv = [sys.executable, "-m", "secure_client", f"localhost:{self.program.port}", "--ca", str(self._ca)]
        own = {"SECURE_CLIENT_TOKEN": self.tokens[Role.OPERATOR], "SECURE_CLIENT_HOME": str(self.directory)}
        return subprocess.run(
            [*argv, *options], cwd=ROOT, env=os.environ | own, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def configure(self, text: str) -> None:
        """Have another configuration in the place of that one."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.config)

    def heard(self) -> str:
        """What the team was told so far."""
        return self.told.read_text(encoding="utf-8") if self.told.exists() else ""

    def release(self, version: str) -> None:
        """Have a release there, as if it had been handed in."""
        for name in ("about.html", "css/site.css", "index.html"):
            path = self.site / "releases" / version / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("<p>hello</p>", encoding="utf-8")

    def gate(self, script: Path) -> Path:
        """Have a program wait that the deployment runs; whoever writes a line to what is returned lets it go on."""
        gate = script.with_name(f"{script.name}-gate")
        if not gate.exists():
            os.mkfifo(gate)
        fresh = script.with_name(f"{script.name}-new")
        fresh.write_text(WAITS.format(gate=gate), encoding="utf-8")
        fresh.chmod(0o755)
        fresh.rename(script)  # nothing executes half of it
        return gate


@pytest.fixture(scope="module")
def tried(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """One for all tests here: each has releases, or services, of its own."""
    directory = tmp_path_factory.mktemp("ops") / "tried"
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
            patch.delenv(variable, raising=False)  # others reach those lines
        subprocess.run(["sh", str(OPS / "install.sh"), "--try", str(directory)], check=True, stdout=subprocess.PIPE)
        made = Tried(directory, certificates)
        with made.program:
            yield made


def opened(gate: Path) -> None:
    """Let who waits at a gate go on."""
    gate.write_text("go on\n", encoding="utf-8")


def told(peer: RespPeer) -> object:
    """Return the next reply or push; not that another job of the same name's has ended, of which all are told."""
    while isinstance(item := peer.reply(), Push) and item.kind == "message":
        pass
    return item


def until(peer: RespPeer, last: object) -> list[object]:
    """Return the pushes, and the reply, up to one."""
    found: list[object] = []
    while not found or found[-1] != last:
        found.append(told(peer))
    return found


def first_part(peer: RespPeer, *words: str) -> int:
    """Start a job, and return its number when it has said something."""
    peer.request(*words)
    push = told(peer)
    assert isinstance(push, Push)
    assert (push.kind, push.items[1:]) == ("job", ("running", 0))
    number = push.items[0]
    assert isinstance(number, int)
    return number


def test_what_each_role_may_do(tried: Tried) -> None:
    """As the README says; what it says of jobs does not contradict itself."""
    config, registry = load(tried.config), Registry()
    load_modules(registry, config.commands.modules, ())
    load_declared(registry, config.commands.declared)
    assert list(contradictions(registry)) == []
    roles = {item.name: item.role for item in registry}
    assert {name for name, role in roles.items() if role is Role.USER} == {
        "DISK",
        "UPTIME",
        "SERVICE-STATUS",
        "PING-HOST",
    }
    assert {name for name, role in roles.items() if role is Role.OPERATOR} == {
        "TAIL",
        "RELEASE",
        "DEPLOY",
        "RESTART",
        "BACKUP",
    }
    assert {item.name for item in registry if item.job} == {"DEPLOY", "RESTART", "BACKUP"}
    assert [item.name for item in registry.internals] == ["TELL-TEAM"]
    assert all(item.summary for item in (*registry, *registry.internals))


def test_programs_answer(tried: Tried) -> None:
    """Disk usage of what may be asked for, and of nothing else; nobody calls what is the server's."""
    with tried.text(Role.USER) as peer:
        peer.send(b"DISK\n")
        header, *_ = peer.lines()
        assert "Mounted on" in header
        assert peer.ask("DISK /etc") == "ERROR: Argument path: /etc is not one of /, /var, /srv."
        assert peer.ask("PING-HOST 1 -f").startswith("ERROR: Argument host: -f ")
        assert peer.ask("RESTART nginx").startswith("ERROR: NOPERM ")
        assert peer.ask("TELL-TEAM a b c d e").startswith("ERROR: Unknown command.")


def test_a_release_is_handed_in_and_deployed_when_somebody_says_yes(tried: Tried, tmp_path: Path) -> None:
    """Without a terminal to ask on, nothing is sent, and the exit code is 2; the team hears of the end."""
    (tmp_path / "index.html").write_text("<p>handed in</p>", encoding="utf-8")
    with tarfile.open(tmp_path / "site.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "index.html", "index.html")
    handed_in = tried.client("-c", f"RELEASE 1.0 @{tmp_path / 'site.tar.gz'}")
    assert (handed_in.returncode, handed_in.stdout) == (0, "1.0/index.html\n"), handed_in.stderr
    again = tried.client("--yes", "-c", f"RELEASE 1.0 @{tmp_path / 'site.tar.gz'}", "-c", "DEPLOY staging 1.1")
    assert again.returncode == 1
    assert again.stdout.splitlines() == [
        "Release 1.0 is there already; give this one another number.",
        "There is no release 1.1; hand it in first: RELEASE 1.1 @FILE",
    ]
    serves = tried.site / "staging"
    before = serves.is_symlink() and serves.readlink()
    asked = tried.client("-c", "DEPLOY staging 1.0")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "Deploy 1.0 to staging on localhost" in asked.stderr
    assert (serves.is_symlink() and serves.readlink()) == before
    meant = tried.client("--yes", "-c", "DEPLOY staging 1.0")
    assert meant.returncode == 0, meant.stderr
    assert (serves / "index.html").read_text(encoding="utf-8") == "<p>handed in</p>"
    eventually(
        lambda: (
            re.search(r"^operator: DEPLOY is done \(job \d+\), exit code 0$", tried.heard(), re.MULTILINE) is not None
        )
    )
    assert re.search(r"^operator: DEPLOY is failed \(job \d+\), exit code 1$", tried.heard(), re.MULTILINE)


def test_a_deploy_goes_on_alone_refuses_another_and_is_found_again(tried: Tried) -> None:
    """The line breaks in the middle; whoever comes back misses nothing and hears nothing twice."""
    tried.release("2.0")
    gate = tried.gate(tried.site / "checks")
    serves = tried.site / "production"
    before = serves.readlink().name if serves.is_symlink() else "nothing"
    with tried.resp() as peer:
        number = first_part(peer, "DEPLOY", "production", "2.0")
        assert until(peer, Push("stream", ("Checking 2.0.",)))[-2] == Push("stream", (f"production serves {before}.",))
    with tried.resp() as peer:
        peer.request("DEPLOY", "production", "2.0")
        refused = told(peer)
        assert isinstance(refused, ErrorReply)
        assert refused.code == "BUSY"
        assert f"beside job {number} (DEPLOY) of operator" in refused.text
        first_part(peer, "DEPLOY", "staging", "2.0")  # which has a lock of its own
        until(peer, "OK")
        peer.request("JOB", "ATTACH", str(number), "1")
        assert told(peer) == Push("job", (number, "running", 1))
        assert told(peer) == Push("stream", ("Checking 2.0.",))
        peer.request("DETACH")
        detached = until(peer, 1)[0]
        assert isinstance(detached, ErrorReply)
        assert detached.text == f"Job {number} goes on; JOB ATTACH {number} 2 comes back to it."
        peer.request("JOB", "ATTACH", str(number), "2")
        assert told(peer) == Push("job", (number, "running", 2))
        opened(gate)
        assert until(peer, "OK") == [
            Push("stream", ("production passed",)), Push("stream", ("production serves 2.0.",)), "OK",
        ]  # fmt: skip
    assert serves.readlink() == Path("releases/2.0")


def test_a_deploy_that_is_cancelled_has_changed_nothing(tried: Tried) -> None:
    """And its environment is free for the next."""
    tried.release("3.0")
    tried.gate(tried.site / "checks")
    with tried.resp() as peer:
        before = (tried.site / "production").is_symlink() and (tried.site / "production").readlink()
        first_part(peer, "DEPLOY", "production", "3.0")
        until(peer, Push("stream", ("Checking 3.0.",)))
        peer.request("CANCEL")
        reply = until(peer, 1)
        assert any(isinstance(item, ErrorReply) and item.code == "CANCELLED" for item in reply)
        assert ((tried.site / "production").is_symlink() and (tried.site / "production").readlink()) == before


def test_a_second_restart_waits_its_turn(tried: Tried) -> None:
    """The place is told; then it runs."""
    gate = tried.gate(tried.directory / "usr" / "bin" / "systemctl")
    with tried.resp() as first, tried.resp() as second:
        first_part(first, "RESTART", "nginx")
        second.request("RESTART", "nginx")
        push = told(second)
        assert isinstance(push, Push)
        number = push.items[0]
        assert push.items == (number, "queued", 0, 1)
        opened(gate)
        assert until(first, "OK") == [Push("stream", ("restart passed",)), "OK"]
        opened(gate)
        begun, *_, said, _ = until(second, "OK")
        assert isinstance(begun, Push)
        assert begun.items[:3] == (number, "running", 0)
        assert said == Push("stream", ("restart passed",))
    eventually(lambda: f"operator: RESTART is done (job {number}), exit code 0" in tried.heard())


def test_a_backup_tells_how_far_it_is(tried: Tried) -> None:
    """On RESP3 as pushes, and as lines to people, and an archive that holds what there was."""
    tried.release("4.0")
    with tried.resp() as peer:
        first_part(peer, "BACKUP", "bar")
        pushes = until(peer, "OK")
    assert any(push.kind == "progress" for push in pushes if isinstance(push, Push))
    with tried.text() as person:
        assert person.ask("BACKUP ../x").startswith("ERROR: Argument label: ../x does not match ")
        person.send(b"BACKUP weekly\n")
        job, _, *directories, last = person.lines()
    assert re.fullmatch(r"JOB \d+ FROM 0", job)
    assert "releases/4.0/" in directories
    assert sorted(set(directories)) == sorted(directories)
    (archive,) = (tried.directory / "var" / "backups" / "site").glob("weekly-*")
    assert last == f"{archive.name}: {archive.stat().st_size} bytes"
    with tarfile.open(archive) as packed:
        assert "releases/4.0/index.html" in packed.getnames()


def test_a_log_is_followed_until_one_has_seen_enough(tried: Tried) -> None:
    """That is no job: it ends with who looks."""
    with tried.text() as peer:
        peer.send(b"TAIL 1 nginx/error\n")
        assert peer.line() == "a line that nginx wrote"
        with (tried.directory / "var" / "log" / "nginx" / "error.log").open("a", encoding="utf-8") as log:
            log.write("another one\n")
        assert peer.line() == "another one"
        peer.send(b"CANCEL\n")
        assert "CANCELLED" in peer.line()


def test_another_configuration_is_taken_up_while_a_deploy_runs(tried: Tried) -> None:
    """Or none of it is, and the answer says why; the job goes on by what it began with."""
    tried.release("5.0")
    gate = tried.gate(tried.site / "checks")
    before = tried.config.read_text(encoding="utf-8")
    with tried.resp() as peer:
        number = first_part(peer, "DEPLOY", "production", "5.0")
        until(peer, Push("stream", ("Checking 5.0.",)))
        tried.configure(before + '\n[commands.GREETING]\nrun = ["echo", "hello"]\nsummary = "Say hello"\n')
        assert tried.admin("CONFIG RELOAD").startswith("Taken up: commands.GREETING")
        with tried.text(Role.USER) as person:
            person.send(b"GREETING\n")
            assert person.lines() == ["hello"]
            tried.configure(before.replace('lock = "deploy-{env}"', 'lock = "deploy-{nobody}"'))
            assert "nobody" in tried.admin("CONFIG RELOAD")
            person.send(b"GREETING\n")
            assert person.lines() == ["hello"]
            tried.configure(before)
            tried.admin("CONFIG RELOAD")
            assert person.ask("GREETING") == "ERROR: Unknown command."
        opened(gate)
        until(peer, "OK")
        peer.request("JOB", "SHOW", str(number))
        shown = told(peer)
        assert isinstance(shown, dict)
        assert (shown["state"], shown["exit"], shown["lock"]) == ("done", 0, "deploy-production")


class Unit(configparser.ConfigParser):
    """Reads systemd's files, where capitals count."""

    def optionxform(self, optionstr: str) -> str:
        """Leave a key as it is."""
        return optionstr


def unit() -> configparser.SectionProxy:
    """Return what the unit says of the service."""
    read = Unit(interpolation=None, comment_prefixes="#")
    read.read(OPS / "secure-server.service", encoding="utf-8")
    return read["Service"]


AS_NOBODY = """
from secure_server.commands.programs.launching import Rights
from secure_server.commands.programs.process import Process
argv = ["/bin/sh", "-c", "id -u; exec sleep 60"]
with Process(argv, directory=None, environment={}, rights=Rights("nobody")) as child:
    for line in child.lines():
        print(int(line))
        child.wake()
print(child.exit_code)
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv of util-linux"
)
def test_what_the_unit_leaves_root_is_enough_to_start_and_end_programs_of_others() -> None:
    """With these capabilities alone, as systemd would: the program is nobody's, and is ended all the same."""
    service = unit()
    names = [name.removeprefix("CAP_").lower() for name in service["CapabilityBoundingSet"].split()]
    only = ",".join(["-all", *(f"+{name}" for name in names)])
    assert service["NoNewPrivileges"] == "yes"
    argv = [
        "setpriv",
        f"--bounding-set={only}",
        f"--inh-caps={only}",
        "--no-new-privs",
        sys.executable,
        "-c",
        AS_NOBODY,
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert (done.stdout.split(), done.stderr) == ([str(NOBODY), str(-signal.SIGTERM)], "")


def test_a_stop_gives_a_job_the_time_that_it_is_said_to_have() -> None:
    """The unit leaves the server alone until its jobs had `timeouts.drain`, and all descriptors that it asks for."""
    service, config = unit(), load(OPS / "secure-server.toml")
    assert service["KillMode"] == "mixed"
    minutes = int(service["TimeoutStopSec"].removesuffix("min"))
    assert minutes * 60 > config.timeouts.drain + config.timeouts.linger + 3 * WORKERS_STOP_SECONDS
    loops = config.threads.io + 1
    assert int(service["LimitNOFILE"]) >= wanted(config, 16, MOST_LINGERING * loops, ADMIN_WORKERS).descriptors
    threads = config.threads.workers + 2 * config.threads.spare + config.threads.jobs
    assert int(service["TasksMax"]) > 4 * threads  # a thread each, its program, and what that starts
    assert config.data_dir == f"/var/lib/{service['StateDirectory']}"
    name, _, source = service["LoadCredential"].partition(":")
    declared = (OPS / "secure-server.toml").read_text(encoding="utf-8")
    assert f'{{ file = "/run/credentials/secure-server.service/{name}" }}' in declared
    script = (OPS / "install.sh").read_text(encoding="utf-8")
    assert f"told={source} " in script
    users = set(re.findall(r"^    user ([a-z-]+)", script, re.MULTILINE))
    assert set(re.findall(r'^run_as = "(.*)"$', declared, re.MULTILINE)) == users


def test_it_is_put_in_its_place_once(tried: Tried, tmp_path: Path) -> None:
    """Where something is already, or what is wanted was not said, nothing happens at all; the secret is its owner's."""
    refused = (([], 2), (["--try"], 2), *((["--try", f"{tmp_path}{path}"], 2) for path in ("/with space", "/a&b")))
    for options, code in (*refused, (["--try", str(tmp_path)], 1), (["--try", f"{tmp_path}/nowhere/ops"], 2)):
        again = subprocess.run(
            ["sh", "-x", str(OPS / "install.sh"), *options], capture_output=True, text=True, check=False
        )
        assert (again.returncode, list(tmp_path.iterdir())) == (code, [])
        assert "+ place" not in again.stderr
    secret = tried.directory / "run" / "credentials" / "secure-server.service" / "team-webhook"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_others_may_run_its_programs_whatever_the_umask_is(tmp_path: Path) -> None:
    """Root's own may keep everybody out."""
    argv = ["sh", "-c", 'umask 077; CDPATH=/ exec sh "$0" "$@"', str(OPS / "install.sh"), "--try", "ops"]
    subprocess.run(argv, cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    programs = tmp_path / "ops" / "usr" / "local" / "lib" / "secure-ops"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (programs, *programs.glob("*-*"))} == {0o755}
    assert sorted(path.name for path in programs.iterdir()) == ["backup.py", "deploy", "take-release", "tell-team"]


def test_one_release_of_two_that_come_at_once_is_taken(tried: Tried, tmp_path: Path) -> None:
    """The second is told so, and is not to be found within the first."""
    (tmp_path / "index.html").write_text("<p>hello</p>", encoding="utf-8")
    with tarfile.open(tmp_path / "site.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "index.html", "index.html")
    archive = (tmp_path / "site.tar.gz").read_bytes()
    argv = [str(tried.directory / "usr" / "local" / "lib" / "secure-ops" / "take-release"), "6.0"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as late:
        releases = tried.site / "releases"
        eventually(lambda: list(releases.glob(".6.0.*")) != [])
        assert subprocess.run(argv, input=archive, capture_output=True, check=True).stdout == b"6.0/index.html\n"
        said, _ = late.communicate(archive, PATIENCE_SECONDS)
    assert (late.returncode, said) == (1, b"Release 6.0 is there already; give this one another number.\n")
    assert [path.name for path in (releases / "6.0").iterdir()] == ["index.html"]
    assert list(releases.glob(".6.0*")) == []


def test_a_deploy_touches_no_directory_in_the_place_of_its_link(tried: Tried) -> None:
    """It would lead to the release from within that, and say that it is served."""
    tried.release("7.0")
    (tried.site / "own").mkdir()
    program = tried.directory / "usr" / "local" / "lib" / "secure-ops" / "deploy"
    done = subprocess.run([str(program), "own", "7.0"], capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (1, b"own is no link to a release; move it away first.\n")
    assert list((tried.site / "own").iterdir()) == []


def test_a_backup_takes_away_what_one_that_was_killed_left(tried: Tried) -> None:
    """Whole archives stay."""
    kept = tried.directory / "var" / "backups" / "site"
    (kept / "old.tar.partial").touch()
    (kept / "old.tar.gz").touch()
    with tried.text() as person:
        person.send(b"BACKUP again\n")
        person.lines()
    assert sorted(path.name for path in kept.glob("old*")) == ["old.tar.gz"]


def test_what_is_typed_to_deploy_it_goes_by_its_configuration() -> None:
    """A token that is made elsewhere the server does not know."""
    page = (OPS / "README.md").read_text(encoding="utf-8").partition("## Deploy it")[2]
    typed = re.findall(r"^# (.*)$", page, re.MULTILINE)
    (named,) = (line for line in typed if line.startswith("export SECURE_SERVER_CONFIG="))
    assert f" run --config {named.partition('=')[2]}" in unit()["ExecStart"]
    asking = [line for line in typed if re.search(r"bin/secure-server \w", line)]
    assert len(asking) == 3
    assert typed.index(named) < min(map(typed.index, asking))
