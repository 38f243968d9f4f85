"""scripts/test.py: what it runs, in which order, and that no failure is lost."""

import sys
from pathlib import Path

import pytest

from scripts import _checks, _environment
from scripts._checks import Check, Outcome

PASSING = ("platform",)
FAILING = ("json.tool", "/nonexistent")


@pytest.fixture
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is there: the one that these tests run in."""
    monkeypatch.setattr(_environment, "ensure", lambda _progress: Path(sys.executable))


def test_the_whole_suite_runs_on_all_cores() -> None:
    """Without arguments: lint, format, types and all tests, a process a core, in that order."""
    *static, last = _checks.checks([])
    assert [check.name for check in static] == ["ruff check", "ruff format", "mypy"]
    assert last == Check("pytest", (("pytest", *_checks.PARALLEL),))


def test_long_is_the_whole_suite_and_more() -> None:
    """`--long` goes to pytest, whose tests are measured then, and the threshold is judged."""
    *_, suite, coverage = _checks.checks(["--long"])
    assert suite.commands[-1] == ("coverage", "run", "-m", "pytest", *_checks.PARALLEL, "--long")
    assert [command[:2] for command in coverage.commands] == [("coverage", "combine"), ("coverage", "report")]


def test_arguments_go_to_pytest() -> None:
    """All of them, in place of our own."""
    *_, last = _checks.checks(["tests/fuzz", "-x"])
    assert last == Check("pytest", (("pytest", "tests/fuzz", "-x"),))


def test_check_ends_at_its_first_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A check passes when all its commands do; after one that failed, its others would mislead."""
    python = Path(sys.executable)
    assert _checks.run(Check("both", (PASSING, PASSING)), python, tmp_path).passed
    capfd.readouterr()
    assert not _checks.run(Check("first", (FAILING, PASSING)), python, tmp_path).passed
    assert "Linux" not in capfd.readouterr().out


def test_commands_at_once_all_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whichever fails, the others say what they have to say; the check fails with it."""
    python = Path(sys.executable)
    assert _checks.run(Check("both", (PASSING, PASSING), at_once=True), python, tmp_path).passed
    capfd.readouterr()
    assert not _checks.run(Check("first", (FAILING, PASSING), at_once=True), python, tmp_path).passed
    assert "Linux" in capfd.readouterr().out


def test_types_are_checked_for_other_systems_too() -> None:
    """Each with a cache of its own, or each run would throw the others' away."""
    (types,) = [check for check in _checks.checks([]) if check.name == "mypy"]
    assert [command[1:] for command in types.commands] == [
        (),
        ("--platform", "win32", "--cache-dir", ".mypy_cache/win32"),
        ("--platform", "darwin", "--cache-dir", ".mypy_cache/darwin"),
    ]


def test_check_that_hangs_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A command that does not end is ended, and counts as failed."""
    monkeypatch.setattr(_checks, "CHECK_TIMEOUT", 0.01)
    assert not _checks.run(Check("slow", (PASSING,)), Path(sys.executable), tmp_path).passed
    assert "did not end within" in capfd.readouterr().out


def test_what_is_compiled_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the environment asks Python not to: tests start hundreds of processes, and each would compile anew."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "outer.py").write_text("import inner\n")
    (tmp_path / "inner.py").touch()
    assert _checks.run(Check("compiling", (("outer",),)), Path(sys.executable), tmp_path).passed
    assert list(tmp_path.glob("__pycache__/inner.*.pyc"))


@pytest.mark.usefixtures("_ready")
@pytest.mark.parametrize("last", [PASSING, FAILING])
def test_early_failure_neither_stops_nor_hides(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], last: tuple[str, ...]
) -> None:
    """Every check runs whatever the first gave, the table has them all, and the exit code tells."""
    monkeypatch.setattr(_checks, "checks", lambda _: (Check("first", (FAILING,)), Check("last", (last,))))
    assert _checks.main([]) == 1
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()[-2:]] == ["first", "last"]


@pytest.mark.usefixtures("_ready")
def test_all_passed_is_success(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 when every check passed, and the table says so."""
    monkeypatch.setattr(_checks, "checks", lambda _: (Check("only", (PASSING,)),))
    assert _checks.main(["-x"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].split()[:2] == ["only", "ok"]


def test_summary_is_a_table() -> None:
    """Names, outcomes and seconds stand in columns."""
    table = _checks.summary([Outcome("mypy", True, 1.25), Outcome("ruff check", False, 100)])  # noqa: FBT003 - a row
    assert table == "mypy        ok          1.2 s\nruff check  FAILED    100.0 s"


def test_help_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """--help explains this command without setting anything up."""
    assert _checks.main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python3 scripts/test.py [--long | PYTEST ARGUMENTS]")


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), 130), (_environment.EnvironmentUnavailableError("The disk is full."), 1)],
)
def test_no_environment_no_checks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int
) -> None:
    """Without an environment nothing is run, and no traceback is shown."""

    def fail(_progress: object) -> None:
        raise error

    monkeypatch.setattr(_environment, "ensure", fail)
    assert _checks.main([]) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert "disk" in shown.err or "Stopped" in shown.err
