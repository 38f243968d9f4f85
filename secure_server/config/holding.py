"""What holds in a running server, key by key: the value, where it comes from, and what it would be by default."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from secure_server.config.settings import Config
from secure_server.config.writing import Key, dotted, entries, masked, value

DEFAULT, SET, FILE, PROGRAM = "default", "set", "file", "program"
COMMAND_LINE, ENVIRONMENT = "command line", "environment"
"""Where a value comes from."""


@dataclass(frozen=True, slots=True)
class Held:
    """A key, as it holds.

    Attributes:
        key: with its tables.
        value: as TOML; what a program alone finds is masked.
        origin: where it comes from.
        default: as TOML; None where there is none.
    """

    key: Key
    value: str
    origin: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the values of a configuration come from.

    Attributes:
        defaults: what would hold were nothing said, its paths as whole as those of what holds.
        said: by their keys, what the command line or the environment says.
        otherwise: where all else comes from: `file`, or `program` for a server that was made without one.
    """

    defaults: Config
    said: Mapping[str, str]
    otherwise: str

    def of(self, config: Config, values: Collection[str]) -> Iterator[Held]:
        """Yield all that a configuration says, in the order of the file.

        Args:
            config: what holds.
            values: the keys of what is set until the restart.
        """
        defaults = {key: value(held) for key, held in entries(self.defaults)}
        for key, held in entries(config):
            name, default = dotted(key), defaults.get(key)
            if name in values:
                origin = SET
            elif default == value(held):
                origin = DEFAULT
            else:
                origin = self.said.get(name, self.otherwise)
            yield Held(key, value(masked(key, held)), origin, default)
