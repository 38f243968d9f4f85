"""The automatic build's one entry."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "redis-cli": "redis-tools",
    "redis-server": "redis-server",
    "openssl": "openssl",
    "ncat": "ncat",
    "socat": "socat",
    "tmux": "tmux",
    "msgfmt": "gettext",
    "zsh": "zsh",
    "fish": "fish",
    "npm": "npm",
    "javac": "default-jdk-headless",
    "php": "php-cli",
    "ruby": "ruby",
    "go": "golang-go",
    "chromium": "chromium",
    "certutil": "libnss3-tools",
    "nginx": "nginx",
    "caddy": "caddy",
}
LIBRARIES = {"php-redis", "ruby-redis", "libredis-perl", "libio-socket-ssl-perl", "golang-github-gomodule-redigo-dev"}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine with next to nothing; its python3 repeats its arguments."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "bin").mkdir()
    for name in ("bash", "dirname", "id", "touch"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    add_program(tmp_path, "python3", 'echo "python3 $*"')
    return tmp_path


def add_program(machine: Path, name: str, body: str) -> None:
    """Put a program on the machine's path."""
    program = machine / "bin" / name
    program.unlink(missing_ok=True)
    program.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    program.chmod(0o755)


def run(machine: Path) -> list[str]:
    """Run the build's entry and return its lines."""
    done = subprocess.run(
        [machine / ".ci" / "run"],
        env={"PATH": str(machine / "bin"), "CI": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_without_a_package_system_it_goes_on(machine: Path) -> None:
    """Where nothing can be installed, it says what is missing and runs the tests."""
    missing, started = run(machine)
    named = missing.removeprefix("Not installed: ").removesuffix(". The tests that need them will skip.").split()
    assert sorted(named) == sorted([*PROGRAMS.values(), *LIBRARIES])
    assert started == "python3 scripts/test.py --long"


def test_missing_clients_are_installed(machine: Path) -> None:
    """As root, with apt-get, what is missing is installed and then no longer missing."""
    add_program(machine, "id", "echo 0")
    names = f"{' '.join(PROGRAMS)} dpkg"  # which then knows every library
    add_program(
        machine,
        "apt-get",
        f'[[ $1 == update ]] || for name in {names}; do echo "#!/bin/sh" >"{machine}/bin/$name"; '
        f'chmod +x "{machine}/bin/$name"; done',
    )
    add_program(machine, "chmod", f'{shutil.which("chmod")} "$@"')
    installing, started = run(machine)
    assert sorted(installing.removeprefix("Installing ").split()) == sorted([*PROGRAMS.values(), *LIBRARIES])
    assert started == "python3 scripts/test.py --long"


def test_only_what_is_missing_is_installed(machine: Path) -> None:
    """A program is found by its name, a library by its package."""
    add_program(machine, "id", "echo 0")
    add_program(machine, "apt-get", "exit 0")
    for program in PROGRAMS.keys() - {"tmux"}:
        add_program(machine, program, "exit 0")
    add_program(machine, "dpkg", "[[ $2 != ruby-redis ]]")
    assert run(machine)[0] == "Installing tmux ruby-redis"


def test_failed_install_does_not_stop_the_build(machine: Path) -> None:
    """Without a network the tests still run."""
    add_program(machine, "id", "echo 0")
    add_program(machine, "apt-get", "exit 100")
    lines = run(machine)
    assert "could not install tmux" in lines
    assert lines[-1] == "python3 scripts/test.py --long"
