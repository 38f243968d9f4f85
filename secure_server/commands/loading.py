"""Where commands come from besides the server itself: installed packages, modules, and the configuration."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.commands.command import ATTRIBUTE, Command
from secure_server.commands.job_policy import contradictions
from secure_server.commands.programs.declaration import DeclarationError
from secure_server.commands.programs.program import declare
from secure_server.commands.registry import DuplicateCommandError, Registry
from secure_server.commands.signature import SignatureError

ENTRY_POINTS = "secure_server.commands"
"""The group in which an installed package names its modules of commands."""

_log = logging.getLogger("secure_server.commands")


class LoadingError(Exception):
    """Commands cannot be added; one sentence says whose, and why."""


def load(registry: Registry, modules: Iterable[str], installed: Iterable[EntryPoint] | None = None) -> None:
    """Add what packages and modules bring, in this order.

    Args:
        registry: where to.
        modules: names of modules, or paths that end in `.py`.
        installed: entry points; None for those of this Python's packages.

    Raises:
        LoadingError: one cannot be imported, has none, brings a name that is taken, or contradicts itself or another.
    """
    seen: set[str] = set()
    for source, module in _modules(modules, entry_points(group=ENTRY_POINTS) if installed is None else installed):
        if module.__name__ in seen:
            continue
        seen.add(module.__name__)
        try:
            added = registry.load([module])
        except DuplicateCommandError as error:
            raise LoadingError(
                Sentence("{source} cannot be used: {why}; give one of them another name.", source=source, why=error)
            ) from None
        if not added:
            raise LoadingError(
                Sentence("{source} defines no command; mark a function of it with @command(…).", source=source)
            )


def load_declared(
    registry: Registry, declared: Mapping[str, object], made: Mapping[str, Command] | None = None
) -> None:
    """Add the commands that the configuration declares.

    Args:
        registry: where to.
        declared: the tables `[commands.NAME]`, by name.
        made: what is taken instead of making it anew, by the same names.

    Raises:
        LoadingError: a table cannot be used, or its name is taken.
    """
    for name, table in declared.items():
        try:
            registry.add((made or {}).get(name) or declare(name, table))
        except DeclarationError as error:
            raise LoadingError(Sentence("The configuration: {problem}", problem=error)) from None
        except DuplicateCommandError as error:
            raise LoadingError(
                Sentence(
                    "The configuration: commands.{name}: {why}; give one of them another name.", name=name, why=error
                )
            ) from None
    for contradiction in contradictions(registry):
        raise LoadingError(contradiction)


def _modules(names: Iterable[str], installed: Iterable[EntryPoint]) -> Iterator[tuple[str, ModuleType]]:
    """Import, and say what it is in an error."""
    for point in installed:
        source = Sentence("The entry point {name} ({value})", name=point.name, value=point.value)
        with _Explained(source, point.module):
            found = point.load()
        yield source, found if isinstance(found, ModuleType) else _holding(found, point.name)
    for name in dict.fromkeys(names):
        source = Sentence("The module {name}", name=printable(name))
        with _Explained(source, name):
            module = _from_file(Path(name)) if name.endswith(".py") else _by_name(name)
        yield source, module


def _holding(handler: object, name: str) -> ModuleType:
    """Return a module that holds this one handler, for an entry point may name a function."""
    module = ModuleType(f"{getattr(handler, '__module__', name)}")
    if hasattr(handler, ATTRIBUTE):
        vars(module)[name] = handler
    return module


def _by_name(name: str) -> ModuleType:
    """Import a module, also from the directory the server was started in: last, so that it hides nothing."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    return importlib.import_module(name)


def _from_file(path: Path) -> ModuleType:
    """Import a file under its own name, which no other module has then."""
    path = path.absolute()
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if known is not None or spec is None or spec.loader is None:
        raise ImportError(f"another module is called {path.stem} already")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where typing looks for what its annotations mean
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


class _Explained:
    """Turns whatever an import raises into one sentence; the traceback goes to the log, for who asks it for details."""

    def __init__(self, source: str, name: str) -> None:
        self._source = source
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception | SystemExit):
            return
        _log.debug("%s", self._source, exc_info=error)
        if isinstance(error, ModuleNotFoundError) and error.name and f"{self._name}.".startswith(f"{error.name}."):
            raise LoadingError(
                Sentence("{source} cannot be found; install it, or give the path of its file.", source=self._source)
            ) from None
        if isinstance(error, FileNotFoundError) and error.filename == str(Path(self._name).absolute()):
            raise LoadingError(Sentence("{source} cannot be found; check the path.", source=self._source)) from None
        what = error if isinstance(error, SignatureError) else printable(f"{type(error).__name__}: {error}", 400)
        raise LoadingError(
            Sentence("{source} cannot be imported: {why}{place}.", source=self._source, why=what, place=_place(error))
        ) from None


def _place(error: BaseException) -> str:
    """Where outside this package it happened, if somewhere."""
    own = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((own, "<", importlib.__path__[0]))
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
