"""The examples start and do what they say."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.commands.loading import load as load_modules
from secure_server.commands.loading import load_declared
from secure_server.config.file import load
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken

ROOT = Path(__file__).resolve().parent.parent
OPS = ROOT / "examples" / "ops" / "secure-server.toml"


@pytest.fixture
def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with the commands of examples/ops, started where its README says, with directories to back up."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "from" / "web").mkdir(parents=True)
    (tmp_path / "from" / "web" / "index.html").write_text("<p>hello</p>")
    (tmp_path / "to").mkdir()
    monkeypatch.setenv("BACKUP_FROM", str(tmp_path / "from"))
    monkeypatch.setenv("BACKUP_TO", str(tmp_path / "to"))
    config = load(OPS)
    with Host(tmp_path, config) as host:
        load_modules(host.registry, config.commands.modules, ())
        load_declared(host.registry, config.commands.declared)
        yield host


def ask(host: Host, session: Session, line: str) -> list[str]:
    """Send a line, and return the lines of the answer."""
    output = host.send(session, f"{line}\n".encode())
    while session.busy:
        host.turn()
        output += taken(session)
    return output.decode().splitlines()


def test_what_each_role_may_do(ops: Host) -> None:
    """As the README says."""
    built_in = {"SERVICE-STATUS", "PING-HOST", "DISK", "UPTIME", "RESTART", "TAIL", "BACKUP"}
    user = {item.name for item in ops.registry if item.name in built_in and item.role is Role.USER}
    operator = {item.name for item in ops.registry if item.name in built_in and item.role is Role.OPERATOR}
    assert user == {"DISK", "UPTIME", "SERVICE-STATUS", "PING-HOST"}
    assert operator == {"RESTART", "TAIL", "BACKUP"}
    assert all(item.summary for item in ops.registry if item.name in user | operator)


def test_programs_answer(ops: Host) -> None:
    """Disk usage of what may be asked for, and of nothing else."""
    session = ops.user()
    header, *_, end = ask(ops, session, "DISK")
    assert "Mounted on" in header
    assert end == "."
    assert ask(ops, session, "DISK /etc") == ["ERROR: Argument path: /etc is not one of /, /var, /srv."]
    assert ask(ops, session, "PING-HOST 1 -f")[0].startswith("ERROR: Argument host: -f ")
    assert ask(ops, session, "RESTART nginx")[0].startswith("ERROR: NOPERM ")


def test_a_backup_shows_its_progress(ops: Host, tmp_path: Path) -> None:
    """Lines and progress as pushes, and an archive that holds what there was."""
    operator = ops.user("operator", Role.OPERATOR)
    assert ask(ops, operator, "BACKUP x --dry-run") == ["1 files, 12 bytes", "."]
    assert ask(ops, operator, "BACKUP ../x")[0].startswith("ERROR: Argument label: ../x does not match ")
    first, directory, last, end = ask(ops, operator, "BACKUP weekly")
    assert (first, directory, end) == ("1 files, 12 bytes", "web/", ".")
    (archive,) = (tmp_path / "to").iterdir()
    assert last == f"{archive.name}: {archive.stat().st_size} bytes"
    with tarfile.open(archive) as packed:
        assert packed.getnames() == ["web/index.html"]


def test_a_backup_tells_how_far_it_is(ops: Host) -> None:
    """On RESP3, where the client draws a bar."""
    program = ops.program(3, "operator", Role.OPERATOR)
    output = ops.call(program, "BACKUP", "bar")
    while program.busy:
        ops.turn()
        output += taken(program)
    assert program.codec.push(Push("progress", (1.0, "index.html"))) in output


def test_without_its_directories_it_says_so(ops: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, not half an archive."""
    monkeypatch.setenv("BACKUP_TO", "/no/such")
    answer = ask(ops, ops.user("operator", Role.OPERATOR), "BACKUP")
    assert answer[0].endswith("/from or /no/such is no directory.")
