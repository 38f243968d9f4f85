"""The commands of the examples in docs/http.md."""

from __future__ import annotations

from collections.abc import Iterator

from secure_protocol.replies import ReplyKind
from secure_server.commands.command import command
from secure_server.commands.context import Context


@command("DEPLOY", reply=ReplyKind.STREAM)
def deploy(context: Context, service: str, *tickets: str, force: bool = False) -> Iterator[str]:
    """Deploy a service."""
    yield f"deploying {service} for {' '.join(tickets)}"
    context.progress(0.5, "half way")
    yield "forced" if force else "gently"


@command("BACKUP", job=True, reply=ReplyKind.STREAM)
def backup(_context: Context) -> Iterator[str]:
    """Make a backup."""
    yield "42 files"
