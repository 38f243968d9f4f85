"""Where a server's configuration comes from, so that it can be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from secure_server.config.file import load
from secure_server.config.reading import read_settled
from secure_server.config.settings import Config


class Source:
    """A file, if one was named, and what the command line says beside it.

    Args:
        path: the file; None for the defaults.
        overrides: what the command line sets, in the file's shape: it wins over the file, each time that is read.
        modules: of commands, beside the file's.
    """

    def __init__(
        self, path: Path | None, overrides: Mapping[str, object] | None = None, modules: Sequence[str] = ()
    ) -> None:
        self._path = path
        self._overrides = overrides or {}
        self._modules = tuple(modules)
        self._whole = None if path is None else path.absolute()  # a command may change where relative paths begin
        self._here = Path.cwd()

    def read(self) -> Config:
        """Read it for the first time.

        Raises:
            ConfigError: it cannot be used.
        """
        return self._complete(load(self._path, self._overrides))

    def read_again(self) -> Config:
        """Read it while a server runs by it, and somebody may be changing it.

        Raises:
            ConfigError: it cannot be used, or keeps changing.
        """
        return self._complete(load(self._whole, self._overrides, read_settled))

    def _complete(self, config: Config) -> Config:
        commands = replace(config.commands, modules=(*config.commands.modules, *self._modules))
        return replace(config, commands=commands).located(self._here)
