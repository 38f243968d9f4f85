"""SERVER DOCTOR: what is wrong, or will be."""

from __future__ import annotations

from datetime import UTC, datetime

from secure_protocol.replies import ReplyKind, Table
from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.config.changes import ReloadRefusedError
from secure_server.config.holding import SET
from secure_server.config.writing import dotted
from secure_server.doctor.checks import COUNT, OF_FILES
from secure_server.doctor.files import Place
from secure_server.doctor.finding import COLUMNS, examine, in_order
from secure_server.doctor.running import IDLE_SECONDS, RUNNING, Running
from secure_server.files.owner import as_itself
from secure_server.i18n import N_
from secure_server.jobs.job import JobState

GROUP = N_("Server")


@command(
    "SERVER DOCTOR",
    summary=N_("What is wrong with the server, or will be, each with its remedy."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("Nothing is wrong."),
)
def server_doctor(context: Context) -> Table:
    """Make all checks, and list what they find, the worst first."""
    place = Place(services(context).configuration.running, datetime.now(UTC), as_itself)
    found = [*examine(OF_FILES, place), *examine(RUNNING, _running(context))]
    rows: list[tuple[object, ...]] = [finding.row(context.translate) for finding in in_order(found)]
    return Table(COLUMNS, rows, context.translate("Nothing is wrong: {count} checks.").format(count=COUNT))


def _running(context: Context) -> Running:
    """Gather what only this server knows."""
    found = services(context)
    configuration, certificates, now = found.configuration, found.certificates, found.clock()
    given = {dotted(held.key) for held in configuration.holding() if held.origin == SET}
    differs: list[str] = []
    unusable = None
    try:
        differs = [key for change in configuration.differences() if (key := dotted(change.key)) not in given]
    except ReloadRefusedError as refused:
        unusable = Sentence("The configuration's file cannot be used: {why}", why=refused.args[0])
    why = [failure.why] if (failure := certificates.failure) else []
    why += [text] if (text := certificates.renewal_failure) else []
    jobs = () if found.jobs is None else found.jobs.all
    return Running(
        certificate=why,
        leapt=found.leapt(),
        trail=None if found.audit is None else found.audit.status(),
        lost_lines=found.lost_lines(),
        stuck=sum(item.stuck for item in found.workers),
        idle=[item.number for item in found.sessions if now - item.activity.last_active >= IDLE_SECONDS],
        lost_jobs=[job.number for job in jobs if job.state is JobState.LOST and job.holds],
        penalties=(found.penalties.count, configuration.running.penalties.table),
        differs=differs,
        set=sorted(given),
        unusable=unusable,
        split=found.split(),
        draining=found.draining.on,
    )
