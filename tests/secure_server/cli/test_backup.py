"""`secure-server backup` and `restore`, as people use them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path, PureWindowsPath

import pytest
from click.testing import CliRunner, Result

from secure_server.audit.chain import HEAD
from secure_server.audit.journal import snapshot
from secure_server.audit.tail import trail_files
from secure_server.audit.verify import verify
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.copying import check
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.backup.files import MANIFEST, named
from secure_server.cli import main
from secure_server.cli.backup import backup
from secure_server.cli.restore import restore
from secure_server.cli.token import token
from secure_server.jobs.job import Job
from secure_server.jobs.keeping.output import Output, Room
from secure_server.jobs.keeping.reader import Reader
from secure_server.jobs.keeping.records import Records
from secure_server.jobs.keeping.segments import parts_in, segments_in
from secure_server.limits.ban_file import load_bans
from secure_server.limits.bans import Kind, Target
from secure_server.pki.ensure import Request, ensure
from tests.conftest import ServerFactory


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """A directory of certificates and keys."""
    ensure(Request(tmp_path / "certs"))
    return tmp_path / "certs"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a token and a trail."""
    made = CliRunner().invoke(token, ["create", "ada", "--data-dir", str(tmp_path / "data")])
    assert made.exit_code == 0
    return tmp_path / "data"


def run_jobs(data: Path) -> None:
    """Two jobs, of which one has said something."""
    with Records(data / "jobs.db") as records:
        for _ in range(2):
            job = records.add(Job(command="DEPLOY", principal="ada", role=Role.USER, created=1.0))
    output = Output(data / "jobs" / str(job.number), 64, Room(1000))
    for number in range(3):
        output.append(b"$18\r\n%018d\r\n" % number)
    output.close()
    assert len(list((data / "jobs" / "2").iterdir())) == 2


def run(command: object, directory: Path, data: Path, certs: Path, *options: str) -> Result:
    """Run `backup` or `restore` in this process."""
    places = ["--data-dir", str(data), "--certs-dir", str(certs)]
    return CliRunner().invoke(command, [str(directory), *places, *options])  # type: ignore[arg-type] # a command


def names(data: Path) -> list[str]:
    """Whose tokens are in the database."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return [record.name for record in storage.load_all()]


def test_all_of_it_comes_back(data: Path, certs: Path, tmp_path: Path) -> None:
    """On another machine, say: the same tokens, trail, certificates and keys, closed to others."""
    run_jobs(data)
    load_bans(data).add([Target(Kind.USER, "eve")], until=None, by="ada")
    target, config = tmp_path / "copy", tmp_path / "server.toml"
    config.write_text('language = "en"\n')
    done = run(backup, target, data, certs, "--config", str(config))
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert done.stdout.startswith("Tokens: 1; audit records: 1; jobs: 2; files of certificates and keys: 4.\n")
    for path in [target, *target.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert (target / "config.toml").read_text() == config.read_text()
    new_data, new_certs = tmp_path / "new" / "data", tmp_path / "new" / "certs"
    done = run(restore, target, new_data, new_certs)
    assert done.exit_code == 0, done.output
    assert load_bans(new_data).entries() == load_bans(data).entries() != []
    assert done.stdout == "Tokens: 1; audit records: 1; jobs: 2; files: 12.\n"
    assert "revoke them anew" in done.stderr
    assert names(new_data) == ["ada"]
    assert verify(snapshot(new_data)).problems == []
    assert [path.read_bytes() for path in trail_files(new_data)] == [path.read_bytes() for path in trail_files(data)]
    for path in certs.glob("*.pem"):
        assert (new_certs / path.name).read_bytes() == path.read_bytes()
        assert stat.S_IMODE((new_certs / path.name).stat().st_mode) == stat.S_IMODE(path.stat().st_mode)
    assert stat.S_IMODE((new_data / "tokens.db").stat().st_mode) == 0o600
    with Records(data / "jobs.db") as old, Records(new_data / "jobs.db") as new:
        assert old.load() == new.load() != []
        assert new.add(old.load()[0]).number == 3
    for path in [new_data / "jobs", *(new_data / "jobs").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert Reader(new_data / "jobs" / "2").read(0, 3, 1000) == Reader(data / "jobs" / "2").read(0, 3, 1000)
    assert not list(tmp_path.rglob(".unfinished"))


def test_a_running_server_is_copied_whole_and_not_restored_over(server: ServerFactory, tmp_path: Path) -> None:
    """What it has only beside the database is in the copy; while it runs, nothing is put under it."""
    running = server()
    running.new_token("fresh")
    certs = Path(running.server.config.certs_dir)
    assert run(backup, tmp_path / "copy", running.data, certs).exit_code == 0
    for socket in ("there", "removed"):
        if socket == "removed":
            (running.data / "admin.sock").unlink()
        done = run(restore, tmp_path / "copy", running.data, certs, "--force")
        assert done.exit_code == 1
        assert "is in use; stop the server first" in done.stderr
    running.stop()
    new = tmp_path / "new"
    assert run(restore, tmp_path / "copy", new, tmp_path / "certs").exit_code == 0
    assert names(new) == ["user", "operator", "admin", "fresh"]


def test_a_copy_is_made_while_others_write(data: Path, certs: Path, tmp_path: Path) -> None:
    """It has what was there before; nobody waits."""
    with closing(sqlite3.connect(data / "tokens.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE tokens SET name = 'eve'")
        assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
    assert names(tmp_path / "copy" / "data") == ["ada"]


def test_what_is_there_is_kept(data: Path, certs: Path, tmp_path: Path) -> None:
    """Without --force nothing is touched; with it, what was there is set aside."""
    target = tmp_path / "copy"
    target.mkdir()
    (target / "mine").write_text("x")
    done = run(backup, target, data, certs)
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in target.iterdir()] == ["mine"]
    for _ in range(2):
        assert run(backup, target, data, certs, "--force").exit_code == 0
    assert len(list(target.glob("old-*/mine"))) == 1
    assert len(list(target.glob("old-*"))) == 2
    done = run(restore, target, data, certs)
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    CliRunner().invoke(token, ["create", "bia", "--data-dir", str(data)])
    done = run(restore, target, data, certs, "--force")
    assert done.exit_code == 0, done.output
    assert names(data) == ["ada"]
    assert "What was there before is in" in done.stderr
    (old,) = data.glob("old-*")
    assert names(old) == ["ada", "bia"]
    assert verify(snapshot(data)).problems == []


def test_jobs_that_are_there_are_set_aside(data: Path, certs: Path, tmp_path: Path) -> None:
    """Records and output belong together, and to the copy: a number that comes again has nobody else's output."""
    assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
    run_jobs(data)
    with Records(data / "jobs.db"):  # beside it then is what SQLite makes
        done = run(restore, tmp_path / "copy", data, certs, "--force")
    assert done.exit_code == 0, done.output
    assert "jobs: 0;" in done.stdout
    assert not list(data.glob("jobs*"))
    (old,) = data.glob("old-*")
    assert parts_in(old / "jobs" / "2") == 3
    with Records(old / "jobs.db") as records:
        assert len(records.load()) == 2


def test_output_is_copied_while_it_is_written(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment that is dropped meanwhile is missing, one that goes on is there up to a whole part."""
    run_jobs(data)
    (data / "jobs" / "1").mkdir(mode=0o700)
    (data / "jobs" / "1" / "0").write_bytes(b"\0\0\0\x04+OK\r\0\0")

    def drop(directory: Path) -> list[int]:
        found = segments_in(directory)
        if directory.name == "2":
            (directory / str(found[-1])).unlink()
        return found

    monkeypatch.setattr("secure_server.backup.making.segments_in", drop)
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 0, done.output
    assert run(restore, tmp_path / "copy", tmp_path / "new", tmp_path / "new-certs").exit_code == 0
    assert parts_in(tmp_path / "new" / "jobs" / "2") == 1
    assert parts_in(tmp_path / "new" / "jobs" / "1") == 1


def test_damaged_records_of_jobs_are_no_backup(data: Path, certs: Path, tmp_path: Path) -> None:
    """As a damaged token database is none."""
    (data / "jobs.db").write_bytes(b"no database at all\n" * 100)
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 1
    assert "does not hold the records of jobs, or is damaged" in done.stderr
    assert list((tmp_path / "copy").iterdir()) == []


def test_what_stands_beside_an_empty_database_is_set_aside_with_it(data: Path, certs: Path, tmp_path: Path) -> None:
    """A power failure may empty the one and leave the other, which has the latest changes; SQLite would remove it."""
    assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
    (data / "tokens.db").write_bytes(b"")
    (data / "tokens.db-wal").write_bytes(b"what was revoked last")
    done = run(restore, tmp_path / "copy", data, certs, "--force")
    assert done.exit_code == 0, done.output
    (old,) = data.glob("old-*")
    assert (old / "tokens.db").read_bytes() == b""
    assert (old / "tokens.db-wal").read_bytes() == b"what was revoked last"
    assert names(data) == ["ada"]


def test_a_directory_in_place_of_the_database_is_set_aside(data: Path, certs: Path, tmp_path: Path) -> None:
    """SQLite opens none; whoever restores is not to be stopped by what he wants to be rid of."""
    assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
    (data / "tokens.db").unlink()
    (data / "tokens.db").mkdir()
    done = run(restore, tmp_path / "copy", data, certs, "--force")
    assert done.exit_code == 0, done.output
    assert (next(data.glob("old-*")) / "tokens.db").is_dir()
    assert names(data) == ["ada"]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda copy: (copy / MANIFEST).unlink(), "is no backup"),
        (lambda copy: (copy / "data" / "tokens.db").write_bytes(b"x"), "was changed or is missing"),
        (lambda copy: (copy / "certs" / "ca.pem").unlink(), "was changed or is missing"),
        (lambda copy: listing(copy, "../../etc/passwd"), "was changed or is missing"),
        (lambda copy: listing(copy, "data/jobs/1/../2/0"), "was changed or is missing"),
        (lambda copy: listing(copy, "data/jobs/x/0"), "was changed or is missing"),
        (lambda copy: listing(copy, "data/jobs/1/x"), "was changed or is missing"),
        (lambda copy: listing(copy, "data/server_log.txt"), "was changed or is missing"),
        (lambda copy: listing(copy, "certs/x/server.pem"), "was changed or is missing"),
        (lambda copy: listing(copy, None), "was changed or is missing"),
        (lambda copy: (copy / MANIFEST).write_text('{"format": 3, "files": {}}'), "newer version"),
    ],
)
def test_what_is_no_whole_backup_is_refused(
    data: Path, certs: Path, tmp_path: Path, harm: object, sentence: str
) -> None:
    """And nothing is written."""
    copy = tmp_path / "copy"
    assert run(backup, copy, data, certs).exit_code == 0
    assert callable(harm)
    harm(copy)
    done = run(restore, copy, tmp_path / "new", tmp_path / "new-certs")
    assert (done.exit_code, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert not (tmp_path / "new").exists()


def listing(copy: Path, more: str | None) -> None:
    """Have the manifest name one more file, or no database."""
    manifest = json.loads((copy / MANIFEST).read_text())
    if more is not None and ".." not in more:  # it is there, as it is said to be: the name alone is wrong
        (copy / more).parent.mkdir(parents=True, exist_ok=True)
        (copy / more).write_bytes(b"")
    if more is None:
        del manifest["files"]["data/tokens.db"]
    else:
        manifest["files"][more] = hashlib.sha256(b"").hexdigest()
    (copy / MANIFEST).write_text(json.dumps(manifest))


def test_a_trail_that_is_not_intact_is_copied_and_told(data: Path, certs: Path, tmp_path: Path) -> None:
    """It is what there is; a job that makes copies at night fails, so that somebody looks."""
    (path,) = trail_files(data)
    path.write_bytes(b"")
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 1
    assert "the audit trail is not intact" in done.stderr
    assert (tmp_path / "copy" / MANIFEST).exists()


def test_a_trail_that_went_on_after_a_break_comes_back(data: Path, certs: Path, tmp_path: Path) -> None:
    """It has a file with a number; where it is replaced, that one is set aside with the others."""
    (data / HEAD).unlink()
    assert CliRunner().invoke(token, ["create", "bia", "--data-dir", str(data)]).exit_code == 0
    broken = [path.name for path in trail_files(data)]
    assert len(broken) == 2
    assert run(backup, tmp_path / "copy", data, certs).exit_code == 1
    done = run(restore, tmp_path / "copy", tmp_path / "new", tmp_path / "new-certs")
    assert done.exit_code == 0, done.output
    assert [path.name for path in trail_files(tmp_path / "new")] == broken
    assert run(restore, tmp_path / "copy", data, certs, "--force").exit_code == 0
    assert [path.name for path in trail_files(next(data.glob("old-*")))] == broken


def test_a_damaged_database_is_no_backup(data: Path, certs: Path, tmp_path: Path) -> None:
    """Nothing that looks like one is left."""
    (data / "tokens.db").write_bytes(b"no database at all\n" * 100)
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 1
    assert "is not a token database or is damaged" in done.stderr
    assert list((tmp_path / "copy").iterdir()) == []
    (data / "tokens.db").write_bytes(b"")
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 1
    assert f"{data / 'tokens.db'} is not a token database or is damaged" in done.stderr
    done = run(backup, tmp_path / "copy", tmp_path / "nowhere", certs)
    assert done.exit_code == 2
    assert "check --data-dir" in done.stderr


def test_a_backup_of_windows_is_restored_elsewhere() -> None:
    """Its manifest calls the files as any other."""
    stage = PureWindowsPath(r"C:\copy\.unfinished")
    assert named(stage / "data" / "tokens.db", stage) == "data/tokens.db"


@pytest.mark.parametrize("said", ["option", "environment", "places"])
def test_where_things_are_is_said_as_for_the_other_commands(data: Path, certs: Path, tmp_path: Path, said: str) -> None:
    """By a configuration, which is copied too, or by the environment alone."""
    copy, new, config = tmp_path / "copy", tmp_path / "new", tmp_path / "server.toml"

    def call(command: object, data: Path, certs: Path) -> Result:
        lines = {"data_dir": str(data), "certs_dir": str(certs)}
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items()), encoding="utf-8")
        if said == "option":
            return CliRunner().invoke(command, [str(copy), "--config", str(config)])  # type: ignore[arg-type] # a command
        environment = {"SECURE_SERVER_CONFIG": str(config)}
        if said == "places":
            environment = {"SECURE_SERVER_DATA_DIR": str(data), "SECURE_SERVER_CERTS_DIR": str(certs)}
        return CliRunner(env=environment).invoke(command, [str(copy)])  # type: ignore[arg-type] # a command

    done = call(backup, data, certs)
    assert done.exit_code == 0, done.output
    if said == "places":
        assert not (copy / "config.toml").exists()
    else:
        assert (copy / "config.toml").read_bytes() == config.read_bytes()
    done = call(restore, new / "data", new / "certs")
    assert done.exit_code == 0, done.output
    assert names(new / "data") == ["ada"]
    assert (new / "certs" / "ca.pem").read_bytes() == (certs / "ca.pem").read_bytes()


def test_what_the_system_takes_in_parts_is_written_whole(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may; a backup of half a manifest would be none."""
    whole = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: whole(descriptor, bytes(data[:256])))
        assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
    assert run(restore, tmp_path / "copy", tmp_path / "new", tmp_path / "new-certs").exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="it keeps directories by itself")
def test_directories_are_on_disk_when_it_is_said(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were made, those into which something was moved, and those out of which it was."""
    synced: set[int] = set()
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    run_jobs(data)
    monkeypatch.setattr(os, "fsync", noted)
    copy = tmp_path / "copies" / "copy"
    assert run(backup, copy, data, certs).exit_code == 0
    made = [tmp_path, copy.parent, *(path for path in (copy, *copy.rglob("*")))]
    assert [path for path in made if path.stat().st_ino not in synced] == []
    synced.clear()
    assert run(restore, copy, data, certs, "--force").exit_code == 0
    moved = [data, certs, *data.glob("old-*"), *certs.glob("old-*"), data / "jobs", data / "jobs" / "2"]
    assert [path for path in moved if path.stat().st_ino not in synced] == []
    assert len(moved) == 6


def test_a_server_that_is_started_meanwhile_is_not_restored_over(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for again when all has been copied and checked, just before anything is moved."""
    copy = tmp_path / "copy"
    assert run(backup, copy, data, certs).exit_code == 0
    before = sorted(path.name for path in data.iterdir())

    with monkeypatch.context() as patched:
        started: list[SQLiteTokenStorage] = []

        def start(path: Path) -> int:
            started.append(SQLiteTokenStorage(data / "tokens.db"))
            return check(path)

        patched.setattr("secure_server.cli.restore.check", start)
        done = run(restore, copy, data, certs, "--force")
        started[0].close()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is in use; stop the server first" in done.stderr
    assert sorted(path.name for path in data.iterdir()) == before
    assert not list(certs.glob("old-*"))


def test_what_is_made_meanwhile_is_not_written_over(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first token in the empty directory that is restored to stays."""
    copy, new = tmp_path / "copy", tmp_path / "new"
    assert run(backup, copy, data, certs).exit_code == 0

    def make(path: Path) -> int:
        CliRunner().invoke(token, ["create", "bia", "--data-dir", str(new)])
        return check(path)

    monkeypatch.setattr("secure_server.cli.restore.check", make)
    done = run(restore, copy, new, tmp_path / "new-certs")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert names(new) == ["bia"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
def test_a_copy_that_others_may_change_is_neither_made_nor_believed(data: Path, certs: Path, tmp_path: Path) -> None:
    """Whoever writes in it has the keys, and decides which tokens are good."""
    copy, new = tmp_path / "copy", tmp_path / "new"

    def call(command: str, data: Path) -> Result:
        return CliRunner().invoke(main, [command, str(copy), "--data-dir", str(data), "--certs-dir", str(certs)])

    copy.mkdir()
    copy.chmod(0o777)
    done = call("backup", data)
    assert (done.exit_code, f"chmod go-w {copy}" in done.stderr) == (1, True), done.output
    assert not list(copy.iterdir())
    copy.chmod(0o700)
    run_jobs(data)
    assert call("backup", data).exit_code == 0
    for path in (copy, copy / "data", copy / "certs", copy / "data" / "jobs", copy / "data" / "jobs" / "2"):
        path.chmod(0o770)
        done = call("restore", new)
        assert (done.exit_code, f"chmod go-w {path}" in done.stderr) == (1, True), done.output
        assert not new.exists()
        path.chmod(0o700)


def test_any_number_of_files_takes_few_descriptors(data: Path, certs: Path, tmp_path: Path) -> None:
    """A thousand clients have two thousand files, of which most systems let nobody open so many at once."""
    resource = pytest.importorskip("resource")
    for number in range(100):
        (certs / f"client-{number}.pem").write_text(f"{number}\n")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as free:  # other tests may have left gaps: so many numbers are left, whichever they are
        opened = [free.enter_context(Path(os.devnull).open("rb")) for _ in range(30)]
        most = max(file.fileno() for file in opened) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
    try:
        assert run(backup, tmp_path / "copy", data, certs).exit_code == 0
        done = run(restore, tmp_path / "copy", tmp_path / "new", tmp_path / "new-certs")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "new-certs").iterdir())) == 104


def test_what_is_changed_meanwhile_is_not_restored(
    data: Path, certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What gets its place is what was compared with the manifest, whatever is in the copy since."""
    copy, new = tmp_path / "copy", tmp_path / "new"
    assert run(backup, copy, data, certs).exit_code == 0
    ca = copy / "certs" / "ca.pem"

    def change(_: Path) -> None:
        ca.write_bytes(ca.read_bytes() + b"and another")

    monkeypatch.setattr("secure_server.cli.restore._refuse_running", change)
    done = run(restore, copy, new, tmp_path / "new-certs")
    assert done.exit_code == 1
    assert f"{ca} was changed or is missing" in done.stderr
    assert list((tmp_path / "new-certs").iterdir()) == list(new.iterdir()) == []


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(data: Path, certs: Path, tmp_path: Path) -> None:
    """It is no file, so there is no backup."""
    if sys.platform == "win32":
        pytest.skip("pipes with names are POSIX's")
    os.mkfifo(certs / "client-eve.pem")
    done = run(backup, tmp_path / "copy", data, certs)
    assert done.exit_code == 1
    assert "cannot be used" in done.stderr
    assert list((tmp_path / "copy").iterdir()) == []
