"""`secure-server run`, as a process of its own."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from secure_server import signals
from secure_server.cli import main
from secure_server.starting import StartError
from tests.integration.program import refused

PATIENCE = 30.0
RUN = [sys.executable, "-m", "secure_server", "run"]


@contextmanager
def running(
    certs: Path, data: Path, options: tuple[str, ...] = ("--port", "0")
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server on a port that the system chose, and that port."""
    argv = [*RUN, *options, "--certs-dir", str(certs), "--data-dir", str(data)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on 127.0.0.1:"), line + process.communicate(timeout=PATIENCE)[1]
            yield process, int(line.rpartition(":")[2])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_and_a_signal_drains_it(certificates: Path, tmp_path: Path, number: signal.Signals) -> None:
    """`listening on HOST:PORT` alone on stdout; exit code 0, and the admin socket is gone."""
    with running(certificates, tmp_path / "data") as (process, port):
        with socket.create_connection(("127.0.0.1", port), PATIENCE):
            assert (tmp_path / "data" / "admin.sock").exists()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert err.startswith("stopping …") or "\nstopping …" in err
    assert "Traceback" not in err
    assert not (tmp_path / "data" / "admin.sock").exists()


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), 2),
        (("--port", "0"), 1),
    ],
)
def test_each_address_has_a_line(certificates: Path, tmp_path: Path, options: tuple[str, ...], lines: int) -> None:
    """All that the file lists; one where an option replaces the list."""
    config = tmp_path / "server.toml"
    config.write_text('[listen]\naddresses = ["127.0.0.1:0", "127.0.0.1:0"]\n', encoding="utf-8")
    with running(certificates, tmp_path / "data", ("--config", str(config), *options)) as (process, port):
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        further = process.stdout.read().splitlines()  # to the end; `communicate` would miss what was read ahead
    said = [f"listening on 127.0.0.1:{port}", *further]
    assert len(set(said)) == len(said) == lines
    assert all(line.startswith("listening on 127.0.0.1:") for line in said)


def test_quic_has_lines_of_its_own(certificates: Path, tmp_path: Path) -> None:
    """Behind those of TLS, which programs wait for."""
    pytest.importorskip("aioquic", reason="needs the extra quic")
    config = tmp_path / "server.toml"
    config.write_text("[quic]\nenabled = true\n", encoding="utf-8")
    with running(certificates, tmp_path / "data", ("--config", str(config))) as (process, port):
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == f"listening on 127.0.0.1:{port} (QUIC)\n"


def test_sighup_reloads_the_certificate_and_keeps_the_old_on_failure(certificates: Path, tmp_path: Path) -> None:
    """A broken file is told, and the server goes on; a good one is taken up."""
    certs = shutil.copytree(certificates, tmp_path / "certs")
    good = (certs / "server.pem").read_bytes()
    with running(certs, tmp_path / "data") as (process, port):
        assert process.stderr is not None
        for content, said in ((b"nonsense", "the certificate was not reloaded"), (good, "certificate reloaded")):
            (certs / "server.pem").write_bytes(content)
            if sys.platform == "win32":
                pytest.skip("POSIX only")
            process.send_signal(signal.SIGHUP)
            while said not in (line := process.stderr.readline()):
                assert line, "it ended"
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(certificates: Path, tmp_path: Path) -> None:
    """No certificate, a wrong key in the file, two answers to one question there, a port that is taken."""
    data = ["--data-dir", str(tmp_path / "data")]
    config = tmp_path / "server.toml"
    config.write_text("[listen]\nprot = 1\n", encoding="utf-8")
    twice = tmp_path / "twice.toml"
    twice.write_text('[listen]\naddresses = ["127.0.0.1:1"]\nport = 1\n', encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, said in (
            (["--certs-dir", str(tmp_path / "nothing")], "nothing"),
            (["--config", str(config)], "listen.prot"),
            (["--config", str(twice), "--port", "0"], "and listen.port says it as well"),
            (["--certs-dir", str(certificates), "--port", port], "Cannot listen on"),
            (["--certs-dir", str(certificates), "--host", "no.such.host.invalid"], "Cannot listen on"),
        ):
            assert said in refused(*data, *options)


def test_a_port_that_is_none_is_a_usage_error() -> None:
    """Said by the option parser, with the range."""
    shown = CliRunner().invoke(main, ["run", "--port", "70000"])
    assert (shown.exit_code, "65535" in shown.output) == (2, True)


def test_where_settings_come_from_is_handed_on(tmp_path: Path) -> None:
    """The command line, or the environment where the option was not given."""
    with (
        mock.patch.object(signals, "catch"),
        mock.patch("secure_server.cli.run.Console", logging.StreamHandler),
        mock.patch("secure_server.cli.run.Server", side_effect=StartError("not here")) as made,
    ):
        options = ["run", "--port", "0", "--certs-dir", str(tmp_path), "--commands", "json"]
        CliRunner().invoke(main, options, env={"SECURE_SERVER_DATA_DIR": str(tmp_path)})
    assert made.call_args.kwargs["said"] == {
        "listen.port": "command line",
        "certs_dir": "command line",
        "data_dir": "environment",
        "commands.modules": "command line",
    }
