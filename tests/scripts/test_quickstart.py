"""quickstart: what it makes, what it says, and that a wrong answer cannot pass."""

import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pexpect
import pytest

from scripts import _page, _quickstart, _server
from scripts._installation import Installation, StepFailedError
from scripts._progress import Progress

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "stand_in"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose programs are the stand-ins."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):  # measuring them would only cost time
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "checkout"
    shutil.copytree(STAND_IN, root)
    return Installation(Path(sys.executable), root=root)


def free_port() -> int:
    """A port that the system chooses: tests that run beside one another must not choose the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def quickstart(installation: Installation, port: int = 0) -> None:
    """Run quickstart as it runs without a terminal."""
    _quickstart.run(installation, port or free_port(), Progress(), interactive=False)


def set_fault(installation: Installation, fault: str) -> None:
    """Make the stand-ins misbehave."""
    (installation.root / "fault").write_text(fault, "utf-8")


def server_pid(installation: Installation) -> int:
    """The process id of the last stand-in for the server."""
    return int((installation.root / "data" / "pid").read_text())


def is_alive(pid: int) -> bool:
    """Whether a process still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.long
def test_real_programs_give_the_whole_transcript(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The project's own programs answer each step of the transcript as they should."""
    certs, data = tmp_path / "certs", tmp_path / "data"
    quickstart(Installation(Path(sys.executable), certs=certs, data=data))
    transcript = capsys.readouterr().out
    asked = [line for line in transcript.splitlines() if re.match(r"(admin)?> ", line)]
    assert asked == ["> ECHO hello", "> TIME", "> NONSENSE", "admin> clients", "> EXIT"]
    assert (certs / "ca.pem").exists()


def test_transcript_shows_each_command_and_its_answer(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was typed stands above what was answered, and the server has ended afterwards."""
    quickstart(installation)
    transcript = capsys.readouterr().out
    expected = (
        r"> ECHO hello\nECHO: hello\n> TIME\n\S+\+00:00\n> NONSENSE\nERROR: Unknown command.\n"
        r"admin> clients\nname\nquickstart\n> EXIT\nGoodbye.\n"
    )
    assert re.fullmatch(expected, transcript)
    assert not is_alive(server_pid(installation))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        pytest.param("ECHO", "ECHO hello: expected an answer with `hello`; came: ECHO:", marks=pytest.mark.long),
        pytest.param("TIME", "TIME: expected the time now", marks=pytest.mark.long),
        ("TIME-text", "came: late"),
        (
            "NONSENSE",
            r"NONSENSE: expected `ERROR: Unknown command.` and exit code 1; came: fine",
        ),
        pytest.param("clients", "admin> clients: expected a list with `quickstart`", marks=pytest.mark.long),
        pytest.param("EXIT", "EXIT: expected a goodbye and exit code 0", marks=pytest.mark.long),
        ("EXIT-code", r"EXIT: .*\(exit code 3\)"),
        ("crash", "ECHO hello: expected an answer; the client ended.\nConnection lost."),
    ],
)
def test_wrong_answer_is_named(installation: Installation, fault: str, complaint: str) -> None:
    """A wrong answer ends quickstart with the step, what was expected and what came; no server stays."""
    set_fault(installation, fault)
    with pytest.raises(StepFailedError, match=complaint):
        quickstart(installation)
    assert not is_alive(server_pid(installation))


def test_server_that_does_not_start_is_quoted(installation: Installation) -> None:
    """A server that ends at once is reported with its exit code and its own words."""
    set_fault(installation, "start")
    with pytest.raises(StepFailedError, match=r"exit code 1\.\nThe certificate has expired\."):
        quickstart(installation)


def test_server_that_never_listens_is_given_up(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for the server is bounded, and its process is ended."""
    monkeypatch.setattr(_server, "START_TIMEOUT", 0.3)
    set_fault(installation, "mute")
    with pytest.raises(StepFailedError, match="expected `listening on HOST:PORT`; it did not within"):
        quickstart(installation)


def test_server_that_does_not_stop_is_killed(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server deaf to SIGTERM gets its time to drain, then SIGKILL."""
    monkeypatch.setattr(_server, "DRAIN_TIMEOUT", 0.1)
    set_fault(installation, "stop")
    quickstart(installation)
    assert not is_alive(server_pid(installation))


def test_token_is_private_and_kept(installation: Installation) -> None:
    """Only the user can read the token, and a second run makes no other."""
    quickstart(installation)
    first = installation.token_file.read_text()
    quickstart(installation)
    assert installation.token_file.read_text() == first
    assert stat.S_IMODE(installation.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(installation.own.stat().st_mode) == 0o700


def test_token_that_is_not_accepted_is_replaced(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """A token that the server refuses, as after a revocation, gives way to a new one."""
    quickstart(installation)
    installation.token_file.write_text("revoked\n")
    quickstart(installation)
    accepted = (installation.root / "data" / "accepted").read_text()
    assert installation.token_file.read_text().strip() == accepted
    assert accepted not in "".join(capsys.readouterr())


def test_taken_port_is_replaced_and_named(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """When something else has the port, the user reads which one is used instead."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        quickstart(installation, taken)
    said = re.search(rf"Port {taken} is taken; using (\d+)\.", capsys.readouterr().err)
    assert said
    profile = (installation.client_home / "quickstart").read_text()
    assert profile.startswith(f"localhost:{said[1]} ")


def test_free_port_is_used() -> None:
    """Nothing is chosen when the wanted port is free."""
    port = free_port()
    assert _server.choose_port(port) == port


def test_running_server_is_used_and_left_running(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second quickstart beside the first takes the first one's server, says so, and does not stop it."""
    installation.own.mkdir(parents=True)
    with _server.running(installation, free_port()) as port:
        quickstart(installation)
        assert f"runs on port {port}; using it" in capsys.readouterr().err
        assert is_alive(server_pid(installation))
    assert not is_alive(server_pid(installation))


def test_server_started_by_hand_is_not_touched(installation: Installation) -> None:
    """A server on this data directory whose port is unknown is named, with what to do about it."""
    installation.own.mkdir(parents=True)
    with _server.running(installation, free_port()):
        (installation.own / "port").unlink()
        with pytest.raises(StepFailedError, match=r"started by hand already runs on data\. Stop it"):
            quickstart(installation)


def test_profile_stays_in_the_checkout_and_foreign_token_is_not_presented(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs see the checkout's profiles, and no token of the user's own environment."""
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", "the user's own")
    environment = installation.environment()
    assert environment["SECURE_CLIENT_HOME"] == str(installation.root / "data" / "client")
    assert "SECURE_CLIENT_TOKEN" not in environment


def in_terminal(installation: Installation, *options: str) -> "pexpect.spawn[str]":
    """Run quickstart on a terminal, with its programs stood in for, and no browser but a file that has the address."""
    code = (
        "import sys; from pathlib import Path; from scripts import _environment, _quickstart as q\n"
        "from scripts._installation import Installation\n"
        "_environment.ensure = lambda progress: Path(sys.executable)\n"
        f"q.Installation = lambda python: Installation(python, root=Path({str(installation.root)!r}))\n"
        f"sys.exit(q.main(['--port', '{free_port()}', *{options!r}]))\n"
    )
    browser = installation.root / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > "$0.opened"\n', "utf-8")
    browser.chmod(0o755)
    screen = {"BROWSER": str(browser), "DISPLAY": ":9"}
    argv = ["-c", code]
    return pexpect.spawn(
        sys.executable, argv, cwd=str(ROOT), encoding="utf-8", timeout=30, env={**os.environ, **screen}
    )


def test_terminal_gets_the_client_and_the_lines_to_repeat_it(installation: Installation) -> None:
    """On a terminal the client opens; leaving it stops the server and exits 0."""
    child = in_terminal(installation)
    child.expect(r"secure-client localhost:\d+ --ca certs/ca.pem --token-file data/quickstart/token")
    child.sendline("ECHO there")
    child.expect("ECHO: there")
    child.sendline("EXIT")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert not is_alive(server_pid(installation))


def test_the_page_opens_in_the_browser(installation: Installation) -> None:
    """With --web: a link is printed, and the browser opens it from a private file, so that no argv holds it."""
    child = in_terminal(installation, "--web")
    child.expect("The browser opens the page; this link signs in once, within the hour:")
    child.expect_exact("https://localhost/#enroll=quickstart-browser")
    child.expect_exact("secure-server certs trust --dir certs")
    child.expect(r"secure-server run --port \d+ --config data/quickstart/server.toml")
    child.sendline("EXIT")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    door = installation.own / "open.html"
    assert (installation.root / "browser.opened").read_text() == door.as_uri()
    assert "url=https://localhost/#enroll=quickstart-browser" in door.read_text()
    assert stat.S_IMODE(door.stat().st_mode) == 0o600
    assert (installation.own / "server.toml").read_text() == "[web]\nenabled = true\n"


def test_without_a_screen_the_link_is_printed_alone(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A browser that has none would take the terminal."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", lambda _url: pytest.fail("a browser was opened"))
    installation.own.mkdir(parents=True)
    _page.open_page(installation, Progress())
    assert "Open the page in a browser; this link signs in once" in capsys.readouterr().err


def test_a_server_without_the_page_is_said(installation: Installation) -> None:
    """One of an earlier quickstart runs without it."""
    set_fault(installation, "page")
    installation.own.mkdir(parents=True)
    with pytest.raises(StepFailedError, match=r"token create .* --web(.|\n)*The page is off"):
        _page.open_page(installation, Progress())


def test_without_a_terminal_the_page_is_served_and_not_opened(installation: Installation) -> None:
    """The transcript is as it always is."""
    _quickstart.run(installation, free_port(), Progress(), interactive=False, web=True)
    arguments = (installation.root / "data" / "arguments").read_text()
    assert arguments.endswith("--config data/quickstart/server.toml")
    assert not (installation.own / "open.html").exists()


@pytest.mark.long
def test_the_real_server_serves_the_page(tmp_path: Path) -> None:
    """A link is made beside it, and the page comes."""
    installation = Installation(Path(sys.executable), certs=tmp_path / "certs", data=tmp_path / "data")
    installation.own.mkdir(parents=True, mode=0o700)
    installation.require(installation.server("certs", "ensure", "--dir", str(installation.certs)))
    (tmp_path / "data").chmod(0o700)
    with _server.running(installation, free_port(), ("--config", _page.configuration(installation))) as port:
        _page.open_page(installation, Progress())
        context = ssl.create_default_context(cafile=str(tmp_path / "certs" / "ca.pem"))
        context.set_alpn_protocols(["http/1.1"])
        with urllib.request.urlopen(f"https://localhost:{port}/", context=context, timeout=20) as answer:
            assert b"<html" in answer.read()
    assert f"https://localhost:{port}/#enroll=scs_" in (installation.own / "open.html").read_text()


def test_interrupt_belongs_to_the_client(installation: Installation) -> None:
    """Ctrl-C cancels what the client does; the server and quickstart go on."""
    child = in_terminal(installation)
    child.expect("secure-server admin")
    child.sendline("ECHO ready")
    child.expect("ECHO: ready")
    child.sendintr()
    child.expect("Cancelled.")
    child.sendline("EXIT")
    child.expect("Goodbye")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert not (installation.root / "data" / "admin.sock").exists(), "the server was interrupted, not drained"


def test_end_by_signal_stops_the_server(installation: Installation) -> None:
    """SIGTERM, as at logout, ends the server too, and says how to go on."""
    child = in_terminal(installation)
    child.expect("secure-server admin")
    child.kill(signal.SIGTERM)
    child.expect("Run the same command again")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == _quickstart.INTERRUPTED
    assert not is_alive(server_pid(installation))


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_impossible_port_is_refused(port: str) -> None:
    """A port that cannot be is a usage error, before anything is made."""
    done = subprocess.run(
        [sys.executable, "scripts/quickstart.py", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--port" in done.stderr
