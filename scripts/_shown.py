"""Commands as a small machine has them, for the picture of the page: nothing of them is real."""

import time
from collections.abc import Iterator
from typing import Annotated, Literal

from secure_server.commands import Argument, Context, ReplyKind, Table, command

Service = Annotated[Literal["web", "worker", "mail"], Argument("which")]


@command("SERVICES", summary="What runs on this machine, and since when", reply=ReplyKind.TABLE, group="Services")
def services(_context: Context) -> Table:
    """List them."""
    rows: list[tuple[object, ...]] = [
        ("web", "running", "6 days", 12.4, 311),
        ("worker", "running", "6 days", 48.9, 702),
        ("mail", "stopped", "2 hours", 0.0, 0),
    ]
    return Table(("service", "state", "since", "cpu_percent", "memory_mb"), rows, "Nothing runs.")


@command(
    "RESTART", summary="Restart a service", role="operator", confirm="Restart {service} on {server}?", group="Services"
)
def restart(_context: Context, service: Service, *, force: bool = False) -> str:
    """Say that it was."""
    return f"{service} was restarted{', by force' if force else ''}"


@command("DEPLOY", summary="Deploy a release", role="operator", job=True, group="Releases")
def deploy(
    context: Context, environment: Annotated[Literal["staging", "production"], Argument("where to")]
) -> Iterator[str]:
    """Take a while, as deploying does."""
    steps = ("fetching release 2026.11.2", "checking its signature", "migrating the database", "switching over")
    for number, step in enumerate(steps):
        context.progress(number / len(steps), step)
        yield f"{environment}: {step}"
        if number == 2:
            context.cancelled.wait(20)
        time.sleep(0.2)
