"""Where things live and what may import what; a newcomer can read the two tables and knows the house.

The rules are read from the source, imports inside functions included, so that no run is needed to break them.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("secure_protocol", "secure_server", "secure_client")

LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # A module may import its own layer and those below it, never one above. The longest prefix names the layer.
    ("for tests", ("secure_server.pytest_plugin", "secure_server.testing")),
    ("programs", ("secure_server.__main__", "secure_server.cli", "secure_server.admin", "secure_client")),
    (
        "composition root",
        (
            "secure_server.server",
            "secure_server.entrance",
            "secure_server.reach",
            "secure_server.starting",
        ),
    ),
    ("web and quic", ("secure_server.web", "secure_server.quic")),
    ("transports", ("secure_server.net",)),
    ("reloading", ("secure_server.reloading", "secure_server.reloadable")),
    ("dispatch", ("secure_server.dispatch",)),
    ("built-in commands", ("secure_server.commands.builtin",)),
    ("doctor and backup", ("secure_server.doctor", "secure_server.backup")),
    ("jobs", ("secure_server.jobs",)),
    ("commands", ("secure_server.commands",)),
    ("admission", ("secure_server.admission",)),
    ("watching", ("secure_server.watching",)),
    ("session", ("secure_server.session",)),
    ("recording", ("secure_server.recording",)),
    ("statistics", ("secure_server.statistics",)),
    ("identity", ("secure_server.identity",)),
    ("audit", ("secure_server.audit",)),
    ("auth", ("secure_server.auth",)),
    ("limits", ("secure_server.limits",)),
    ("ground", ("secure_server.config", "secure_server.i18n", "secure_server")),
    ("certificates", ("secure_server.pki", "secure_server.trust")),
    ("files", ("secure_server.files",)),
    ("protocol", ("secure_protocol",)),
)

SOCKETS = ("socket", "ssl", "select", "selectors", "asyncio")
INTERNALS = ("net", "session", "admission", "dispatch", "server")

FORBIDDEN: tuple[tuple[str, tuple[str, ...], str], ...] = (
    # who, must never import, because
    ("secure_protocol", (*SOCKETS, "threading", "time", "logging"), "the protocol is pure: bytes in, values out"),
    ("secure_protocol", ("secure_server", "secure_client"), "the protocol is what both sides stand on"),
    ("secure_client", ("secure_server",), "a client is installed and works without a server"),
    (
        "secure_client.core",
        (*SOCKETS, "threading", "concurrent", "time", "logging"),
        "it is driven by threads and loops",
    ),
    ("secure_client.core", ("secure_client.connection", "secure_client.client"), "it is what those stand on"),
    ("secure_server.dispatch", SOCKETS, "the dispatcher is sans-I/O: one for every transport"),
    ("secure_server.session", SOCKETS, "the session is sans-I/O: bytes in, bytes out"),
    ("secure_server.admission", SOCKETS, "the way in is the same for every transport"),
    ("secure_server.commands.builtin", SOCKETS, "a command knows no transport"),
    ("secure_server.jobs", SOCKETS, "a job outlives every connection"),
    (
        "secure_server.admin",
        tuple(f"secure_server.{name}" for name in INTERNALS),
        "the admin shell is a client of the protocol and works from another machine",
    ),
)

FACES = ("secure_server", "secure_client")
"""They name what programs need of their packages, and import it when it is asked for; no module inside goes by them."""
DYNAMIC_IMPORTS = ("__import__", "import_module", "importlib.import_module")
NOT_ON_WINDOWS = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")


@dataclass(frozen=True)
class Import:
    """One import: the module it stands in, the module it names, and where."""

    module: str
    target: str
    place: str


def modules(root: Path) -> dict[str, Path]:
    """Every module of the three packages below `root`, by its dotted name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }


def within(name: str, prefix: str) -> bool:
    """Whether `name` is the module or package `prefix` or stands below it."""
    return name == prefix or name.startswith(prefix + ".")


def named(node: ast.AST, module: str, *, package: bool) -> Iterator[str]:
    """The modules that one node imports; `from a import b` may mean `a.b` or `a`, and gives `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = module.split(".")[: len(module.split(".")) - node.level + package] if node.level else []
        base += node.module.split(".") if node.module else []
        yield from (".".join([*base, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in DYNAMIC_IMPORTS:
        yield from (str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant))


@functools.cache
def imports(root: Path) -> tuple[Import, ...]:
    """Every import in the three packages below `root`, which is read once."""
    return tuple(
        Import(module, target, f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}")
        for module, path in modules(root).items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for target in named(node, module, package=path.name == "__init__.py")
    )


def layer(module: str) -> int | None:
    """The number of a module's layer, 0 at the top; None for what is not ours."""
    found = [
        (len(prefix), number)
        for number, (_, prefixes) in enumerate(LAYERS)
        for prefix in prefixes
        if within(module, prefix)
    ]
    return max(found)[1] if found else None


def forbidden_imports(root: Path) -> list[str]:
    """What breaks `FORBIDDEN`, as `file:line: sentence`."""
    return [
        f"{found.place}: {found.module} must not import {target}: {why}"
        for found in imports(root)
        for who, targets, why in FORBIDDEN
        if within(found.module, who)
        for target in targets
        if within(found.target, target)
    ]


def upward_imports(root: Path) -> list[str]:
    """What breaks `LAYERS`, as `file:line: sentence`."""
    wrong = []
    for found in imports(root):
        if found.module in FACES:
            continue
        own, other = layer(found.module), layer(found.target)
        if own is not None and other is not None and other < own:
            wrong.append(
                f"{found.place}: {found.module} ({LAYERS[own][0]}) must not import {found.target} "
                f"({LAYERS[other][0]}): imports point down: {' → '.join(name for name, _ in LAYERS)}"
            )
    return wrong


def room_of(name: str) -> str:
    """The room of a module: its package's own (`secure_server.net`), or one inside that with a layer of its own."""
    own = [prefix for _, prefixes in LAYERS for prefix in prefixes if prefix.count(".") > 1 and within(name, prefix)]
    return own[0] if own else ".".join(name.split(".")[:2])


def graph(root: Path, *, rooms: bool) -> dict[str, set[str]]:
    """Who imports whom below `root`, imports for types alone included; files, or rooms (see `room_of`)."""
    known = modules(root)
    found: dict[str, set[str]] = {}
    for item in imports(root):
        target = "" if item.module in FACES else item.target
        while target and target not in known:
            target = target.rpartition(".")[0]
        one, other = (room_of(name) if rooms else name for name in (item.module, target))
        if target and one != other:
            found.setdefault(one, set()).add(other)
    return found


def circles(root: Path, *, rooms: bool) -> list[str]:
    """Each shortest way by which something imports itself, as `a → b → a`; one for each circle."""
    edges = graph(root, rooms=rooms)
    found: list[str] = []
    seen: set[str] = set()
    for start in sorted(edges):
        way = _way_back(start, edges)
        if way and not seen & set(way):
            seen |= set(way)
            found.append(" → ".join(way))
    return found


def _way_back(start: str, edges: dict[str, set[str]]) -> list[str]:
    ways, reached = [[start]], set[str]()
    while ways:
        way = ways.pop(0)
        for following in sorted(edges.get(way[-1], ())):
            if following == start:
                return [*way, start]
            if following not in reached:
                reached.add(following)
                ways.append([*way, following])
    return []


WITHOUT_POSIX = f"""
import builtins, importlib, select, signal, socket, sys, traceback, types

PACKAGES, NOT_ON_WINDOWS = {PACKAGES}, {NOT_ON_WINDOWS}
posix, posix_import = sys.platform, builtins.__import__

def windows_import(name, globals=None, locals=None, fromlist=(), level=0):
    # Our own modules see Windows; the libraries they import are those of this machine and see it as it is.
    top, here = name.partition(".")[0], sys.platform
    ours = (globals or {{}}).get("__name__", "").partition(".")[0] in PACKAGES
    if ours and level == 0 and top in NOT_ON_WINDOWS:
        raise ModuleNotFoundError(f"No module named {{name!r}} on Windows", name=name)
    if ours and level == 0 and top in ("msvcrt", "winreg"):
        return types.ModuleType(name)
    sys.platform = "win32" if top in PACKAGES or (ours and level) else posix
    try:
        return posix_import(name, globals, locals, fromlist, level)
    finally:
        sys.platform = here

missing = {{select: ("epoll", "poll"), socket: ("AF_UNIX", "SO_PEERCRED"), signal: ("SIGHUP", "SIGUSR1")}}
for module, names in missing.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
builtins.__import__ = windows_import
failed = 0
for name in sys.argv[1:]:
    try:
        __import__(name)
    except BaseException as error:
        failed = 1
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
        print(f"{{name}}: {{type(error).__name__}}: {{error}} ({{frames[-1].filename}}:{{frames[-1].lineno}})")
sys.exit(failed)
"""


def import_without_posix(root: Path) -> subprocess.CompletedProcess[str]:
    """Import every module below `root` in a new interpreter that lacks what Windows lacks."""
    names = [name for name in modules(root) if not name.endswith("__main__")]  # importing those runs the program
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, *names],
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def plant(root: Path, source: dict[str, str]) -> Path:
    """Write a small house below `root`."""
    for name, text in source.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_nothing_is_imported_that_must_not_be() -> None:
    """The protocol is pure, dispatcher and session know no socket, client and admin shell need no server inside."""
    wrong = forbidden_imports(ROOT)
    assert not wrong, "\n" + "\n".join(wrong)


def test_imports_point_down() -> None:
    """From programs and transports down to configuration and protocol: never upwards."""
    wrong = upward_imports(ROOT)
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("rooms", [False, True], ids=["files", "rooms"])
def test_no_import_comes_back(rooms: bool) -> None:  # noqa: FBT001 - the parameter
    """Neither of two files, nor of two rooms, each imports the other, by whatever way; types count."""
    wrong = circles(ROOT, rooms=rooms)
    assert not wrong, "\n" + "\n".join(wrong)


CROWD = 18
"""Files in a room, its `__init__` included; beyond about fifteen it gets rooms of its own."""
LONG = 400
"""Lines of a file; a longer one has two subjects."""


def test_no_room_is_a_crowd_and_no_file_is_long() -> None:
    """Whoever looks for something looks through a screenful."""
    files = list(modules(ROOT).values())
    rooms = Counter(path.parent.relative_to(ROOT) for path in files)
    assert {room: count for room, count in rooms.items() if count > CROWD} == {}
    lines = {path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n") for path in files}
    assert {path: count for path, count in lines.items() if count > LONG} == {}


@pytest.mark.parametrize(
    ("house", "found"),
    [
        ({"secure_server/net/a.py": "from . import b\n", "secure_server/net/b.py": "import secure_server.net.a\n"},
         "secure_server.net.a → secure_server.net.b → secure_server.net.a"),
        ({"secure_server/net/a.py": "from secure_server.net.b import B\n",
          "secure_server/net/b.py": "def f():\n    from secure_server.net.c import C\n",
          "secure_server/net/c.py": "if TYPE_CHECKING:\n    from .a import A\n"},
         "secure_server.net.a → secure_server.net.b → secure_server.net.c → secure_server.net.a"),
    ],
)  # fmt: skip
def test_a_circle_of_files_is_found(tmp_path: Path, house: dict[str, str], found: str) -> None:
    """However long, inside functions and for types alone, with its whole way."""
    assert circles(plant(tmp_path, {"secure_server/net/__init__.py": "", **house}), rooms=False) == [found]


def test_a_circle_of_rooms_is_found(tmp_path: Path) -> None:
    """Though no file is in one."""
    house = {
        "secure_server/auth/a.py": "from secure_server.limits.b import B\n",
        "secure_server/limits/b.py": "",
        "secure_server/limits/c.py": "from secure_server.auth.d import D\n",
        "secure_server/auth/d.py": "",
    }
    assert circles(plant(tmp_path, house), rooms=False) == []
    assert circles(tmp_path, rooms=True) == ["secure_server.auth → secure_server.limits → secure_server.auth"]


def test_the_admin_shell_stands_on_the_client() -> None:
    """There is one terminal toolkit: an admin shell with modules takes its connection from `secure_client`."""
    admin = [name for name in modules(ROOT) if name.startswith("secure_server.admin.")]
    taken = [found for found in imports(ROOT) if found.module in admin and within(found.target, "secure_client")]
    assert bool(taken) == bool(admin)


@pytest.mark.usefixtures("unmeasured")
def test_every_module_can_be_imported_where_posix_is_missing() -> None:
    """On Windows every module imports; what only POSIX has is asked for where it is used."""
    done = import_without_posix(ROOT)
    assert done.returncode == 0, f"these modules cannot be imported on Windows:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("secure_protocol/wire.py", "def now():\n    import time\n"),
        ("secure_protocol/wire.py", "from asyncio import sleep\n"),
        ("secure_protocol/wire.py", "import importlib\nimportlib.import_module('logging.handlers')\n"),
        ("secure_protocol/__init__.py", "from secure_client import Client\n"),
        ("secure_client/client.py", "if 0:\n    from secure_server import pki\n"),
        ("secure_client/client.py", "import secure_server.net.tls as tls\n"),
        ("secure_server/dispatch/dispatcher.py", "import socket\n"),
        ("secure_server/session/session.py", "from ssl import SSLSocket\n"),
        ("secure_server/admin/shell.py", "from secure_server.session import session\n"),
        ("secure_server/admin/shell.py", "from ..net import tls\n"),
        ("secure_server/admin/__init__.py", "from ..server import Server\n"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, text: str) -> None:
    """Each rule is broken once and names the file and the line."""
    (sentence,) = forbidden_imports(plant(tmp_path, {file: text}))
    assert sentence.startswith(f"{file}:{text.count(chr(10))}: ")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("secure_server/commands/builtin/basic.py", "from secure_server.dispatch.dispatcher import Dispatcher\n"),
        ("secure_server/dispatch/workers.py", "from secure_server import net\n"),
        ("secure_server/commands/context.py", "from secure_server.commands.builtin import basic\n"),
        ("secure_server/session/session.py", "from secure_server.dispatch.cleared import Cleared\n"),
        ("secure_server/recording/activity_log.py", "from secure_server.session.session import Session\n"),
        ("secure_server/limits/rates.py", "if TYPE_CHECKING:\n    from secure_server.auth.principal import Role\n"),
        ("secure_server/net/loop.py", "from ..server import Server\n"),
        ("secure_server/server.py", "import secure_server.cli.run\n"),
        ("secure_server/config/settings.py", "def f():\n    from secure_server.auth.tokens import Tokens\n"),
        ("secure_server/audit/trail.py", "from secure_server.dispatch.workers import Workers\n"),
        ("secure_server/server.py", "from secure_client import Client\n"),
        ("secure_protocol/limits.py", "from secure_server.config.settings import Config\n"),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, file: str, text: str) -> None:
    """Each step upwards is found, whether the import is absolute, relative or inside a function."""
    house = {"secure_server/net/__init__.py": "", file: text}
    (sentence,) = upward_imports(plant(tmp_path, house))
    assert sentence.startswith(f"{file}:{text.count(chr(10))}: ")


def test_downward_imports_pass(tmp_path: Path) -> None:
    """What the rules allow is not complained of, relative imports and what a package names for programs included."""
    house = {
        "secure_server/__init__.py": "from secure_server.server import Server\n",
        "secure_server/version.py": "VERSION = '1'\n",
        "secure_server/cli/run.py": "from secure_server.version import VERSION\nfrom ..server import Server\n",
        "secure_server/admin/shell.py": "from secure_client import Client\nfrom secure_server.config import settings\n",
        "secure_server/server.py": "import socket\nfrom .net import tls\nfrom . import dispatcher\n",
        "secure_server/net/__init__.py": "from ..session import Session\n",
        "secure_server/commands/builtin/basic.py": "from ...version import VERSION\nfrom .. import command\n",
        "secure_protocol/wire.py": "import re\nfrom secure_protocol.timekeeping import time_of\n",
    }
    assert forbidden_imports(plant(tmp_path, house)) + upward_imports(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import fcntl", "No module named 'fcntl' on Windows"),
        ("from pwd import getpwuid", "No module named 'pwd' on Windows"),
        ("import select\nclass Poller(select.epoll): ...", "no attribute 'epoll'"),
        ("from socket import AF_UNIX", "cannot import name 'AF_UNIX'"),
        (
            "import sys\nif sys.platform != 'win32':\n    import select\nelse:\n    import fcntl",
            "No module named 'fcntl'",
        ),
    ],
)
def test_a_posix_import_is_found(tmp_path: Path, text: str, why: str) -> None:
    """A module that needs POSIX to be imported is named, with the reason and the line; the others are still tried."""
    house = {"secure_protocol/__init__.py": "", "secure_protocol/a.py": text, "secure_protocol/b.py": "1 / 0"}
    done = import_without_posix(plant(tmp_path, house))
    first, second = done.stdout.splitlines()
    assert first.startswith("secure_protocol.a: ")
    assert why in first
    assert f"a.py:{text.count(chr(10)) + 1})" in first
    assert second.startswith("secure_protocol.b: ZeroDivisionError")
    assert done.returncode == 1


def test_what_asks_for_the_platform_first_passes(tmp_path: Path) -> None:
    """A module that imports POSIX and Windows modules each on its own system is fine, and so are its libraries."""
    text = "import sys, subprocess, asyncio\nif sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl\n"
    done = import_without_posix(plant(tmp_path, {"secure_client/__init__.py": "", "secure_client/lock.py": text}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
