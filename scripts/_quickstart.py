"""From a fresh checkout to a running server with a client on it, in one command."""

import argparse
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType

from scripts import _environment, _page, _server, _transcript
from scripts._installation import PROFILE, Installation, StepFailedError, private_file
from scripts._progress import Progress

INTERRUPTED = 130  # exit code after Ctrl-C: 128 + SIGINT, as shells count
NOT_AUTHENTICATED = 4  # the client's exit code for that


def main(arguments: Sequence[str]) -> int:
    """Set up, run, and return the exit code: 0 if everything answered as it should."""
    asked = _parse(arguments)
    progress = Progress()
    try:
        with _ends_on_signals():
            installation = Installation(_environment.ensure(progress))
            run(installation, asked.port, progress, interactive=_has_terminal(), web=asked.web)
    except (_environment.EnvironmentUnavailableError, StepFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return INTERRUPTED
    return 0


def run(installation: Installation, port: int, progress: Progress, *, interactive: bool, web: bool = False) -> None:
    """Make what is missing, have a server, and open the client or print the transcript.

    Args:
        installation: the installed checkout.
        port: to listen on; another is chosen and named when it is taken.
        progress: is told what goes on.
        interactive: open the client in this terminal, instead of the transcript.
        web: have the server serve the page, and open that too.

    Raises:
        StepFailedError: something did not answer as it should.
    """
    for directory in (installation.root / installation.data, installation.own):  # private, whatever the umask
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    installation.require(installation.server("certs", "ensure", "--dir", str(installation.certs)))
    with _some_server(installation, port, progress, web=web) as listening:
        _authenticate(installation, listening, progress)
        if interactive:
            if web:
                _page.open_page(installation, progress)
            _open_client(installation, listening, progress, web=web)
        else:
            _transcript.run(installation)


@contextlib.contextmanager
def _some_server(installation: Installation, port: int, progress: Progress, *, web: bool) -> Iterator[int]:
    found = _server.running_port(installation)
    if found is not None:
        progress.say(f"A server from an earlier quickstart runs on port {found}; using it.")
        yield found
        return
    chosen = _server.choose_port(port)
    if chosen != port:
        progress.say(f"Port {port} is taken; using {chosen}.")
    with _server.running(installation, chosen, _configuration(installation, web=web)) as listening:
        progress.say(f"The server listens on {_server.HOST}:{listening}.")
        yield listening


def _authenticate(installation: Installation, port: int, progress: Progress) -> None:
    """Save the profile, with a new token if there is none yet or the old one is not accepted any more."""
    if not installation.token_file.exists():
        _make_token(installation, progress)
    _save_profile(installation, port)
    probe = installation.client(PROFILE, "-c", "ECHO")
    if installation.run(probe).returncode == NOT_AUTHENTICATED:
        _make_token(installation, progress)
        _save_profile(installation, port)
        installation.require(probe)


def _make_token(installation: Installation, progress: Progress) -> None:
    data = ("--data-dir", str(installation.data))
    # The token of an earlier quickstart whose secret is lost; there need not be one.
    installation.run(installation.server("token", "revoke", PROFILE, *data))
    secret = installation.require(installation.server("token", "create", PROFILE, "--quiet", *data))
    private_file(installation.token_file, f"{secret.strip()}\n")
    progress.say(f"Made a token with role user: {installation.token_file}")


def _save_profile(installation: Installation, port: int) -> None:
    trust = ("--ca", str(installation.certs / "ca.pem"))
    token = ("--token-file", str(installation.token_file))
    installation.require(installation.client("profile", "add", PROFILE, f"localhost:{port}", "--force", *trust, *token))


def _configuration(installation: Installation, *, web: bool) -> Sequence[str]:
    """Return what tells the server how it is configured; nothing where it goes by the defaults."""
    return ("--config", _page.configuration(installation)) if web else ()


def _open_client(installation: Installation, port: int, progress: Progress, *, web: bool) -> None:
    token = installation.token_file.relative_to(installation.root)
    configured = "".join(f" {word}" for word in _configuration(installation, web=web))
    if not web:
        progress.say("In a browser, too: python3 scripts/quickstart.py --web")
    progress.say(
        f"The server stops when you leave the client. Later, by hand:\n"
        f"  .venv/bin/secure-server run --port {port}{configured}\n"
        f"  .venv/bin/secure-client localhost:{port} --ca {installation.certs}/ca.pem --token-file {token}\n"
        f"  .venv/bin/secure-server admin\n"
    )
    before = signal.signal(signal.SIGINT, _leave_to_the_client)
    try:
        # Whatever its exit code: the person at the terminal has seen why.
        subprocess.run(installation.client(PROFILE), cwd=installation.root, env=installation.environment(), check=False)
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_to_the_client(_signal: int, _frame: FrameType | None) -> None:
    """Ctrl-C is the client's, which has the terminal. A handler, since a child would inherit SIG_IGN."""


@contextlib.contextmanager
def _ends_on_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end this program as Ctrl-C does, so that its server ends too."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = "SIGTERM", "SIGHUP"  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 scripts/quickstart.py",
        description="Makes .venv, certificates, a token and a client profile, starts the server and opens "
        "the client. Without a terminal it runs each kind of command instead, prints the answers, and "
        "exits 0 if all of them were right. Nothing outside the checkout changes.",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=_server.DEFAULT_PORT,
        help="port of the server (default: %(default)s); when it is taken, another is chosen and named",
    )
    parser.add_argument(
        "--web",
        action="store_true",
        help="serve the page, too; with a terminal, open the browser and print a link that signs in",
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is not a port: use 1 to 65535")
    return port
