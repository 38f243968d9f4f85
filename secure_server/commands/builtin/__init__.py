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
    certificates,
    client_certificates,
    enrolment,
    penalties,
    tokens,
)
from secure_server.commands.builtin.clients import kicking
from secure_server.commands.builtin.clients import listing as clients
from secure_server.commands.builtin.jobs import listing, starting, watching
from secure_server.commands.builtin.server import limits, slow, stats

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
    stats,
    slow,
    limits,
    configuration,
    audit,
    penalties,
    client_certificates,
    certificates,
    tokens,
    enrolment,
)
