"""Runs pip: its noise becomes a moving word or two, its failure a sentence and what to do."""

import dataclasses
import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from scripts._progress import Progress

INSTALL_TIMEOUT = 1800.0  # seconds; a slow link fetches some 60 MB in less
STOP_TIMEOUT = 5.0  # seconds pip gets to end after Ctrl-C reached it as well
SHOWN_LINES = 8  # of pip's output, when it failed
KEPT_LINES = 400  # of pip's output, to find the cause in

_DETAILS = (
    (re.compile(r"Collecting (?P<what>[\w.\-]+)"), "collecting {what}"),
    (re.compile(r"Downloading (?:\S*/)?(?P<what>\S+)"), "downloading {what}"),
    (re.compile(r"Retrying"), "the package index does not answer, trying again"),
    (re.compile(r"Installing build dependencies"), "fetching what builds the project"),
    (re.compile(r"Building editable"), "building the project"),
    (re.compile(r"Installing collected packages: (?P<what>.*)"), "installing {count} packages"),
)

_NOISE = re.compile(r"^\s*(?:$|\[end of output\]|note: This (?:error originates|is an issue)|╰─>)")


@dataclasses.dataclass(frozen=True)
class _Cause:
    signs: re.Pattern[str]
    advice: str


_CAUSES = (
    _Cause(
        re.compile(r"No space left on device|Disk quota exceeded"),
        "The disk is full. Free some 300 MB (pip's cache: `python3 -m pip cache purge`) and run this again.",
    ),
    _Cause(
        re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed"),
        "The package index's certificate was not accepted. Behind a proxy that inspects TLS, set PIP_CERT to "
        "the file with its certificate authority, and run this again.",
    ),
    _Cause(
        re.compile(
            r"Failed to establish a new connection|NewConnectionError|ConnectTimeoutError|ReadTimeoutError"
            r"|Read timed out|ProxyError|Max retries exceeded|name resolution|Network is unreachable"
            r"|connection (?:refused|reset|aborted|broken)",
            re.IGNORECASE,
        ),
        "No package index could be reached. Connect this machine to the network; or set HTTPS_PROXY for a "
        "proxy, or PIP_INDEX_URL for another index; or bring a directory of wheels and set "
        "PIP_FIND_LINKS=DIRECTORY and PIP_NO_INDEX=1. Then run this again.",
    ),
    _Cause(
        re.compile(r"No matching distribution found|Could not find a version that satisfies"),
        "The package index or wheel directory that pip uses here (`python3 -m pip config list`) lacks the "
        "package named above for this Python, or does not answer. Complete it, or set PIP_INDEX_URL or "
        "PIP_FIND_LINKS to one that has it, and run this again.",
    ),
    _Cause(
        re.compile(r"Permission denied"),
        "pip may not write where it has to. Give this directory and pip's cache to the user who runs this "
        "(`sudo chown -R $USER .`), and run this again.",
    ),
)
_UNKNOWN_CAUSE = "pip failed; its last lines, above, say why. Mend that and run this again."


class PipError(Exception):
    """pip did not install; the text holds its last lines, then the cause and what to do."""


def explain(output: str) -> str:
    """Return the cause that pip's output shows, and what to do about it."""
    return next((cause.advice for cause in _CAUSES if cause.signs.search(output)), _UNKNOWN_CAUSE)


def detail(line: str) -> str | None:
    """Return the few words that stand for a line of pip's output; ``None`` if it says nothing to a person."""
    for pattern, words in _DETAILS:
        if match := pattern.search(line):
            what = match.groupdict().get("what", "")
            return words.format(what=what, count=what.count(",") + 1)
    return None


def install(python: Path, arguments: Sequence[str], *, root: Path, progress: Progress) -> None:
    """Run ``pip install`` with the machine's own pip configuration.

    Args:
        python: the interpreter of the environment to install into.
        arguments: what to install, as pip takes it.
        root: the directory that relative arguments start from.
        progress: is told what pip is at.

    Raises:
        PipError: pip failed, or took longer than ``INSTALL_TIMEOUT``.
    """
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    process = subprocess.Popen(
        [python, "-m", "pip", "install", *quiet, *arguments],
        cwd=root,
        env=os.environ | {"PIP_USER": "0"},  # a machine-wide `user = true` would make pip refuse an environment
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    limit = threading.Timer(INSTALL_TIMEOUT, process.kill)
    limit.daemon = True
    limit.start()
    try:
        lines = _follow(process, progress)
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        limit.cancel()
    if status != 0:
        shown = "\n".join(f"  {line}" for line in list(lines)[-SHOWN_LINES:])
        cause = explain("\n".join(lines))
        raise PipError(f"{shown}\n{cause}")


def _follow(process: subprocess.Popen[str], progress: Progress) -> deque[str]:
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE above means
    with process.stdout as output:
        for line in output:
            if _NOISE.match(line):
                continue
            lines.append(line.rstrip())
            if words := detail(line):
                progress.detail(words)
    return lines


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
