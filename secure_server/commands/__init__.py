"""Commands are data: a name, a handler, and the policy that the dispatcher's one gate applies.

What authors of commands need is here; docs/commands.md teaches it by example.
"""

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status, Table, Timestamp, Verbatim
from secure_server.auth.principal import Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument

__all__ = [
    "Argument",
    "CommandError",
    "Context",
    "ReplyKind",
    "Role",
    "Status",
    "Table",
    "Timestamp",
    "Verbatim",
    "command",
]
