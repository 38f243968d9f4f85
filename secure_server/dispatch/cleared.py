"""What the gate has let a session run before, so that the next time costs a look-up.

A session keeps it, unopened, by the name that a command was asked for; it forgets all of it when it becomes somebody
else or closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from secure_server.commands.context import Context
from secure_server.recording.activity_log import Again
from secure_server.statistics.tally import Tally

MOST_CLEARED = 16
"""Commands remembered of a session; whoever uses more of them has them judged each time."""


class Cleared(NamedTuple):
    """A command that a session's principal may run, and that needs no more than a call.

    The gate's judgement of it depends on the principal and the commands that there are. The former is the context's:
    where the session's is another by now (it became somebody else, or an admin is outside `admin.networks`), or the
    registry has another edition of the commands, all is judged anew. Only commands of bytes are here, and only those
    that no rate holds for and nobody keeps a record of.

    Attributes:
        call: the command's handler, with the context of each call.
        context: that context.
        least: arguments of a request.
        most: likewise.
        told: what the log is told of each time.
        tally: counts.
        edition: of the registry, by which it was judged.
    """

    call: Callable[..., object]
    context: Context
    least: int
    most: float
    told: Again
    tally: Tally
    edition: object
