"""`secure-server certs ensure` and scripts/generate_certs.py: options, output and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_server.cli.certs import certs
from secure_server.pki import verify

ROOT = Path(__file__).resolve().parents[3]


def test_one_aligned_line_a_file(tmp_path: Path) -> None:
    """Data goes to stdout: the file, then `made`, `kept` or `renewed because …`."""
    arguments = ["ensure", "--certs-dir", str(tmp_path / "c"), "--client", "ci"]
    first = CliRunner().invoke(certs, arguments)
    assert first.exit_code == 0
    lines = first.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "ca.pem",
        "ca-key.pem",
        "server.pem",
        "server-key.pem",
        "client-ci.pem",
        "client-ci-key.pem",
        "verified",
    ]
    column = lines[0].index("made (valid until 20")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)
    second = CliRunner().invoke(certs, ["ensure", "--dir", str(tmp_path / "c"), "--host", "new.test"])
    assert "renewed because new.test is not in it (valid until 20" in second.stdout
    assert "ca-key.pem         kept\n" in second.stdout


@pytest.mark.parametrize(
    "arguments", [["--host", "a b"], ["--client", "../x"], ["--host", ""], ["--dir", "/dev/null/x"]]
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is written, nothing but the sentence is said, and only to stderr."""
    target = tmp_path / "c"
    result = CliRunner().invoke(certs, ["ensure", "--dir", str(target), *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert not target.exists()


def test_a_failed_proof_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success is not reported before the proof."""
    monkeypatch.setattr(verify, "server_verifiers", lambda _now: [("Yes-man", lambda *_: None)])
    result = CliRunner().invoke(certs, ["ensure", "--dir", str(tmp_path / "c")])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Yes-man accepts" in result.stderr


def test_notes_go_to_stderr(tmp_path: Path) -> None:
    """Stdout stays one line a file."""
    arguments = ["ensure", "--dir", str(tmp_path / "c"), "--new-ca"]
    CliRunner().invoke(certs, arguments)
    result = CliRunner().invoke(certs, arguments)
    assert result.exit_code == 0
    assert "The old files are in" in result.stderr
    assert "The old files are in" not in result.stdout


def test_the_script_is_the_same_program(tmp_path: Path) -> None:
    """It runs from any directory, and again keeps everything."""
    command = [sys.executable, str(ROOT / "scripts" / "generate_certs.py"), "--host", "box.test"]
    for word in ("made", "kept"):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.count(f" {word}") == 4
    assert (tmp_path / "certs" / "server.pem").exists()


def test_the_script_without_packages_says_what_to_run(tmp_path: Path) -> None:
    """With neither packages nor environment: one sentence, exit code 2."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    script = scripts / "generate_certs.py"
    script.write_bytes((ROOT / "scripts" / "generate_certs.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "python3 scripts/quickstart.py" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_rollover_from_beginning_to_end(tmp_path: Path) -> None:
    """Each step says what it did, file by file, and what comes next."""
    directory = ["--dir", str(tmp_path / "c")]
    CliRunner().invoke(certs, ["ensure", *directory])
    begun = CliRunner().invoke(certs, ["rollover", *directory])
    assert begun.exit_code == 0
    assert "ca-cross.pem     made (valid until 20" in begun.stdout
    assert "server.pem       renewed because ca-cross.pem goes with it" in begun.stdout
    assert f"`secure-server certs rollover --dir {tmp_path / 'c'} --finish`" in begun.stderr
    again = CliRunner().invoke(certs, ["rollover", *directory])
    assert (again.exit_code, again.stdout) == (2, "")
    assert "under way" in again.stderr
    finished = CliRunner().invoke(certs, ["rollover", *directory, "--finish"])
    assert finished.exit_code == 0
    assert "ca.pem          renewed because the rollover is finished" in finished.stdout
    assert "nothing needs it any more" in finished.stderr
    assert CliRunner().invoke(certs, ["rollover", *directory, "--finish"]).exit_code == 2
    nothing = CliRunner().invoke(certs, ["rollover", "--dir", str(tmp_path / "nothing")])
    assert nothing.exit_code == 2
    assert nothing.stderr.startswith("Error: There are no certificates in ")
    assert not (tmp_path / "nothing").exists()


def test_show_is_a_table_and_json(tmp_path: Path) -> None:
    """Data goes to stdout; an empty directory says how to fill it, on stderr."""
    directory = ["--dir", str(tmp_path / "c")]
    empty = CliRunner().invoke(certs, ["show", *directory])
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "`secure-server certs ensure --dir" in empty.stderr
    CliRunner().invoke(certs, ["ensure", *directory, "--client", "ci"])
    table = CliRunner().invoke(certs, ["show", *directory]).stdout
    assert [line.split()[0] for line in table.splitlines() if ".pem" in line] == [
        "ca.pem",
        "server.pem",
        "client-ci.pem",
    ]
    items = json.loads(CliRunner().invoke(certs, ["show", *directory, "--json"]).stdout)
    assert items[1]["file"] == "server.pem"
    assert "localhost" in items[1]["names"]
    assert items[1]["renewal"] < items[1]["expires"]
    assert len(items[1]["sha256"]) == 64
    (tmp_path / "c" / "server.pem").write_bytes(b"x")
    assert "it is not a readable PEM certificate" in CliRunner().invoke(certs, ["show", *directory]).stdout
    (tmp_path / "c" / "server.pem").unlink()
    (tmp_path / "c" / "server.pem").mkdir()
    unreadable = CliRunner().invoke(certs, ["show", *directory])
    assert unreadable.exit_code == 2
    assert "server.pem cannot be read (Is a directory)" in unreadable.stderr
