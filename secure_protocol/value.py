"""The base of small values that are no tuples: equal where their fields are, and shown by them."""

from __future__ import annotations

from typing import Any, Self

put = object.__setattr__
"""For the `__init__` of a value, which nothing changes afterwards."""


class Value:
    """A value of the attributes that `__match_args__` names, in the order of its arguments; nothing changes them.

    Where a tuple would do, a value is a `NamedTuple`: the client is there at once, and importing `dataclasses` alone
    takes as long as the whole of Python's start. What a command answers is none, for a tuple is an answer itself; what
    holds a secret is none, for whatever shows tuples would show it.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return what it is made of, by names."""
        return {name: getattr(self, name) for name in self.__match_args__}

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"nothing changes a {type(self).__name__}: make another one")

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - each has its field's type
        """Return one that is other in these fields."""
        return type(self)(**self.fields() | changes)

    __replace__ = replace  # for `copy.replace`, of Python 3.13

    def __reduce__(self) -> tuple[type[Value], tuple[object, ...]]:
        return type(self), self._values()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value) or type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.fields().items())
        return f"{type(self).__name__}({shown})"
