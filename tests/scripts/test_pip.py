"""pip's noise and failures, in words for a person."""

import sys
from pathlib import Path

import pytest

from scripts import _pip
from scripts._progress import Progress


def failure(tmp_path: Path, *arguments: str) -> str:
    """Let the real pip fail to install something that no index has, and return the explanation."""
    with pytest.raises(_pip.PipError) as caught:
        _pip.install(Path(sys.executable), arguments, root=tmp_path, progress=Progress())
    return str(caught.value)


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's pip is set up for, these tests reach nothing but this machine."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # discard: nobody listens there


def test_absent_network_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No index in reach: the message says so and names the three ways out."""
    said = failure(tmp_path, "secure-command-server-absent")
    assert "No package index could be reached" in said
    assert all(way in said for way in ("HTTPS_PROXY", "PIP_INDEX_URL", "PIP_FIND_LINKS=DIRECTORY"))
    assert capsys.readouterr() == ("", "")


def test_incomplete_wheel_directory_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel directory without the package is not mistaken for an absent network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said = failure(tmp_path, "secure-command-server-absent")
    assert "No matching distribution found for secure-command-server-absent" in said
    assert "lacks the package named above" in said


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "set PIP_CERT"),
        ("Temporary failure in name resolution\nNo matching distribution found", "No package index"),
        ("ERROR: Could not install: [Errno 13] Permission denied: '/srv'", "chown"),
        ("ERROR: unheard of", "its last lines, above"),
    ],
)
def test_cause_is_found_in_the_output(output: str, advice: str) -> None:
    """The first cause wins over what follows from it."""
    assert advice in _pip.explain(output)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Collecting click==8.5.1 (from -r requirements.txt (line 4))", "collecting click"),
        ("  Downloading ruff-0.9-py3-none-any.whl (10 MB)", "downloading ruff-0.9-py3-none-any.whl"),
        ("WARNING: Retrying (Retry(total=4))", "the package index does not answer, trying again"),
        ("Installing collected packages: a, b, c", "installing 3 packages"),
        ("  Preparing metadata", None),
    ],
)
def test_line_of_pip_becomes_a_few_words(line: str, words: str | None) -> None:
    """A person sees what pip is at, not what it prints."""
    assert _pip.detail(line) == words


def test_install_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation is bounded: past its time pip is killed, and that is a failure."""
    monkeypatch.setattr(_pip, "INSTALL_TIMEOUT", 0.01)
    assert "pip failed" in failure(tmp_path, "secure-command-server-absent")
