"""The terminal at one server after another."""

from __future__ import annotations

import sys
from collections.abc import Callable

from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.terminal.appearance import DEFAULT_APPEARANCE, Appearance
from secure_client.terminal.local.servers import MovedError
from secure_client.terminal.manner import Manner
from secure_client.terminal.repl import Repl


def serve(client: Client, manner: Manner, appearance: Appearance | None, left: Callable[[Client], None]) -> int:
    """Serve the user until they leave; return the exit code.

    Args:
        client: connected.
        manner: how answers are written; a yes that was given beforehand is for the first server alone.
        appearance: of the terminal; None for the client's own.
        left: called with a client whose server the user leaves.
    """
    ahead, yes = None, manner.yes
    shown = appearance or DEFAULT_APPEARANCE
    while True:
        renderer = Renderer(sys.stdout, form=manner.form, people=True)
        repl = Repl(client, renderer, shown, server=client.login.called, yes=yes, ahead=ahead)
        try:
            return repl.run()
        except MovedError as moved:
            there = moved.client
        finally:
            left(client)
            client.close()
        client, ahead, yes = there, repl.ahead, False
