"""How cost grows with connections, commands and tokens."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contestants import Arena, Contestant, ours
from benchmarks.figures import Quantity
from benchmarks.loads.start import load
from benchmarks.machine import used_by
from benchmarks.measures.echo import at_depth, quantities
from benchmarks.measures.logins import quantities as login_quantities
from benchmarks.measures.logins import shown_as
from benchmarks.measures.measure import Measure
from benchmarks.scale import Scale

RATE = 2000.0
"""Requests a second, whatever the number of connections."""
WARM_UP_SECONDS = 0.2
"""At least; everybody asks once in it, for the first request of a connection passes the gate and costs more."""
COMMAND = '''
@command("C{0}")
def c{0}(context: Context, word: str = "") -> str:
    """Say a word."""
    return word
'''


def _commands(count: int) -> Contestant:
    def prepare(data: Path) -> str:
        module = data / "many_commands.py"
        source = "from secure_server.commands import Context, command\n" + "".join(map(COMMAND.format, range(count)))
        module.write_text(source, encoding="utf-8")
        return f'[commands]\nmodules = ["{module}"]\n'

    return ours(f"{count:,} more commands", prepare=prepare)


FEW_COMMANDS, MANY_COMMANDS = _commands(10), _commands(1_000)
ONE_TOKEN = ours("1 token")
MANY_TOKENS = ours("100,000 tokens", tokens=100_000)
CROWDS = {ours(f"{count:,} connections"): count for count in (100, 1_000, 10_000)}
FEW_CONNECTIONS, SOME_CONNECTIONS, MANY_CONNECTIONS = CROWDS


def _connections(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
    count = CROWDS[contestant]
    if count > scale.connections[-1]:
        return {}
    server = arena.running(contestant)
    with load(arena, "crowd", server) as crowd:
        crowd.ask(f"open {count}")
        crowd.ask(f"pace {RATE} {WARM_UP_SECONDS + count / RATE}")
        with used_by(server.pid) as used:
            sent = int(crowd.ask(f"pace {RATE} {scale.load_seconds}"))
    return {"crowd.cpu": used.cpu * 1e6 / sent}


MEASURES = (
    Measure(
        "crowd",
        f"Connections, at {RATE:,.0f} requests a second in all",
        (Quantity("crowd.cpu", "server CPU a request", "µs"),),
        tuple(CROWDS),
        _connections,
        "By each connection in turn, after each has asked once.",
        rounds=5,
    ),
    Measure(
        "commands",
        "Commands in the table, ECHO at depth 16",
        quantities("commands"),
        (FEW_COMMANDS, MANY_COMMANDS),
        at_depth("commands", 16),
        "As ECHO above.",
    ),
    Measure(
        "tokens",
        "Tokens in the database, TLS handshakes with AUTH",
        login_quantities("tokens"),
        (ONE_TOKEN, MANY_TOKENS),
        shown_as("tokens", "bearer"),
        "As logins above.",
    ),
)
