"""The commands that come with the server; each module here is one subject of them."""

from secure_server.commands.builtin import (
    audit,
    basic,
    client,
    completion,
    configuration,
    help,  # noqa: A004 - a command's name
    introspection,
    messages,
    statistics,
)
from secure_server.commands.builtin.access import (
    authentication,
    bans,
    certificates,
    client_certificates,
    enrolment,
    penalties,
    tokens,
    why,
)
from secure_server.commands.builtin.clients import kicking, showing
from secure_server.commands.builtin.clients import listing as clients
from secure_server.commands.builtin.jobs import listing, starting, watching
from secure_server.commands.builtin.server import backup, doctor, draining, limits, log, metrics, slow, stats, top
from secure_server.commands.builtin.server import watching as events

BUILT_IN = (
    basic,
    authentication,
    client,
    help,
    introspection,
    statistics,
    completion,
    messages,
    starting,
    listing,
    watching,
    clients,
    kicking,
    showing,
    stats,
    top,
    slow,
    metrics,
    limits,
    events,
    log,
    configuration,
    draining,
    doctor,
    backup,
    audit,
    penalties,
    bans,
    why,
    client_certificates,
    certificates,
    tokens,
    enrolment,
)
