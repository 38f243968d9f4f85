"""The server: runs a few vetted commands for authenticated peers.

`secure_server.server` is the composition root; `secure_server.cli` is the program. What may import what is drawn in
tests/test_house.py. A program that has one inside needs three names, which are imported when they are asked for:

    from secure_server import Config, Server, load_config
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from secure_server.version import VERSION

if TYPE_CHECKING:
    from secure_server.config.file import load as load_config
    from secure_server.config.settings import Config
    from secure_server.server import Server

__version__ = VERSION

__all__ = ["Config", "Server", "__version__", "load_config"]

_HOMES = {
    "Config": ("config.settings", "Config"),
    "Server": ("server", "Server"),
    "load_config": ("config.file", "load"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for (PEP 562): most programs need one part of the package."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, there = _HOMES[name]
    return getattr(import_module(f"{__name__}.{home}"), there)
