"""Where commands come from: modules by name or path, installed packages, and the configuration."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.loading import ENTRY_POINTS, LoadingError, load, load_declared
from secure_server.commands.registry import Registry

GOOD = """
from secure_server.commands import Context, command

@command("HELLO-{name}")
def hello(context: Context) -> str:
    \"\"\"Say hello.\"\"\"
    return "hello"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory the server is started in; what tests import from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str = GOOD) -> Path:
    """A module of commands; its command is called after it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("{name}", path.stem.upper().strip("_")))
    return path


def names(*modules: str, installed: tuple[EntryPoint, ...] = (), **declared: object) -> set[str]:
    """The commands there are then, without the built-in ones."""
    registry, plain = Registry(), Registry()
    for each in (registry, plain):
        each.load(BUILT_IN)
    load(registry, modules, installed)
    load_declared(registry, declared)
    return {item.name for item in registry} - {item.name for item in plain}


def sentence(*modules: str, installed: tuple[EntryPoint, ...] = (), **declared: object) -> str:
    """What is said of something that cannot be loaded."""
    with pytest.raises(LoadingError) as caught:
        names(*modules, installed=installed, **declared)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def point(value: str, name: str = "ops") -> EntryPoint:
    """What an installed package says of itself."""
    return EntryPoint(name, value, ENTRY_POINTS)


def test_a_module_by_its_name(place: Path) -> None:
    """Also from the directory the server was started in, which is searched last."""
    write(place / "mine.py")
    write(place / "logging.py", "1 / 0")
    assert names("mine", "mine") == {"HELLO-MINE"}
    assert sys.path[-1] == str(place)
    assert sentence("logging") == "The module logging defines no command; mark a function of it with @command(…)."


def test_a_module_by_its_path(place: Path) -> None:
    """From anywhere; twice in a process is once."""
    path = write(place / "elsewhere" / "tools.py")
    assert names(str(path)) == {"HELLO-TOOLS"}
    assert names("elsewhere/tools.py") == {"HELLO-TOOLS"}


def test_a_path_does_not_replace_another_module(place: Path) -> None:
    """The library's `logging` stays what it is."""
    assert sentence(str(write(place / "logging.py"))) == (
        f"The module {place}/logging.py cannot be imported: ImportError: another module is called logging already."
    )
    assert sys.modules["logging"] is logging


def test_a_package_gives_what_it_gathers(place: Path) -> None:
    """Commands of its own modules that it imports, and no others that it happens to see."""
    write(place / "pack" / "disk.py")
    (place / "pack" / "__init__.py").write_text(
        "from pack.disk import hello\nfrom secure_server.commands.builtin.basic import echo\n"
    )
    assert names("pack") == {"HELLO-DISK"}


def test_installed_packages(place: Path) -> None:
    """An entry point names a module or a function; one that is also configured is loaded once."""
    write(place / "first.py")
    write(place / "second.py")
    sys.path.append(str(place))
    assert names("first", installed=(point("first"), point("second:hello"))) == {"HELLO-FIRST", "HELLO-SECOND"}
    assert sentence(installed=(point("first:GONE"),)).startswith(
        "The entry point ops (first:GONE) cannot be imported: AttributeError: "
    )
    assert sentence(installed=(point("first:command"),)) == (
        "The entry point ops (first:command) defines no command; mark a function of it with @command(…)."
    )


def test_declared_ones() -> None:
    """From the configuration, whatever the case of their names."""
    assert names(disk={"run": ["df"]}) == {"DISK"}
    assert sentence(disk={"run": 5}) == "The configuration: commands.disk.run: expected a list, found a whole number."


def test_a_name_that_is_taken(place: Path) -> None:
    """By a built-in command, by another module, or twice in the configuration."""
    write(place / "again.py", GOOD.replace("HELLO-{name}", "echo"))
    assert sentence("again") == (
        "The module again cannot be used: the command ECHO is defined twice; give one of them another name."
    )
    assert sentence(Echo={"run": ["echo"]}) == (
        "The configuration: commands.Echo: the command ECHO is defined twice; give one of them another name."
    )
    assert "commands.disk: the command DISK is defined twice" in sentence(DISK={"run": ["df"]}, disk={"run": ["df"]})


def test_what_contradicts_another_command(place: Path) -> None:
    """Found when all are there, wherever they come from."""
    write(place / "mine.py", GOOD.replace('name}")', 'name}", job=True, notify=("tell-team",))'))
    tell: dict[str, object] = {"run": ["true", "{job}"], "arguments": {"job": {}}, "internal": True}
    assert sentence("mine") == (
        "The command HELLO-MINE: notify names tell-team, but there is no such command; declare it, internal."
    )
    assert names("mine", installed=(), **{"TELL-TEAM": tell}) == {"HELLO-MINE"}
    write(place / "apart.py", GOOD.replace('name}")', 'name}", internal=True)'))
    assert names("apart") == set()
    assert sentence(x={"run": ["df"], "lock": "x"}) == (
        "The command X: lock is for jobs; add job = true, or take it away."
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n1 / 0", "ZeroDivisionError: division by zero ({path}, line 2)"),
        ("import sys\nsys.exit('no')", "SystemExit: no ({path}, line 2)"),
        ("def f(:", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there' ({path}, line 1)"),
        ("raise ValueError('a\\nb')", "ValueError: a\\x0ab ({path}, line 1)"),
        (
            "from secure_server.commands import command\n@command('X')\ndef f(context, x): ...",
            "f: parameter x needs a type that an argument can have ({path}, line 2)",
        ),
        (
            "from secure_server.commands import command\n@command('X', role='boss')\ndef f(context): ...",
            "f: its role 'boss' is none of user, operator, admin ({path}, line 2)",
        ),
    ],
)
def test_an_import_that_fails(place: Path, text: str, problem: str) -> None:
    """One sentence with the cause and the line; nothing half imported stays behind."""
    path = write(place / "broken.py", text)
    assert sentence(str(path)) == f"The module {path} cannot be imported: {problem.format(path=path)}."
    assert "broken" not in sys.modules


def test_a_module_that_is_not_there(place: Path) -> None:
    """Neither by its name nor by its path."""
    assert sentence("not_there") == ("The module not_there cannot be found; install it, or give the path of its file.")
    assert sentence("json.not_there").startswith("The module json.not_there cannot be found")
    assert sentence("not/there.py") == "The module not/there.py cannot be found; check the path."
    assert sentence(".x").startswith("The module .x cannot be imported: TypeError")


def test_an_interrupt_is_none_of_its_business(place: Path) -> None:
    """Ctrl-C during an import ends the program."""
    with pytest.raises(KeyboardInterrupt):
        names(str(write(place / "slow.py", "raise KeyboardInterrupt")))
