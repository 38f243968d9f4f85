"""Lines that start a job or attach to one, and what a person is told of it besides its output."""

from __future__ import annotations

from secure_client.answers.colours import STATES, Colour
from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.watch import Gap, Part, Standing, Watch, typed
from secure_client.i18n import _
from secure_client.typed.line import Line
from secure_protocol.printable import printable


def submit(client: Client, line: Line) -> Request:
    """Send a line; where it starts a job or attaches to one, so that the job is followed.

    Raises:
        ClientError: the client has stopped; this says why.
    """
    found = client.catalogue.find(line.names)
    watch = typed(line.words, is_job=found is not None and found.job)
    if watch is None:
        return client.submit(line.words, streaming=True)
    return client.send(watch)


class JobNews:
    """What is told of one job besides its output.

    Args:
        watch: follows it.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._introduced = False
        self.next = watch.next

    def line(self, item: object) -> str:
        """Return what to tell of what came; empty where it is output."""
        if isinstance(item, Part):
            self.next = item.number + 1
            return ""
        if isinstance(item, Gap):
            self.next = item.next
            sentence = _("… parts {first} to {last} were dropped …")
            return sentence.format(first=item.first, last=item.next - 1)
        assert isinstance(item, Standing)  # noqa: S101 - there is no fourth kind
        return self._standing(item)

    def colour(self, item: object) -> Colour | None:
        """Return the colour for the line that tells of it."""
        return Colour.WAITING if isinstance(item, Gap) else STATES.get(getattr(item, "state", ""))

    def _standing(self, standing: Standing) -> str:
        new, self._introduced = not self._introduced, True
        if standing.state == "queued":
            return _("job {number}: waiting, place {place}").format(number=standing.job, place=standing.place)
        if new:  # a quick one may have ended by now: its answer says how
            return _("job {number}").format(number=standing.job)
        return _("job {number}: {state}").format(number=standing.job, state=printable(standing.state))
