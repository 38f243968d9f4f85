"""The commands that come with the server; each module here is one subject of them."""

from secure_server.commands.builtin import (
    administration,
    audit,
    authentication,
    basic,
    certificates,
    client,
    client_certificates,
    completion,
    enrolment,
    help,  # noqa: A004 - a command's name
    introspection,
    jobs,
    messages,
    penalties,
    statistics,
    tokens,
)

BUILT_IN = (
    basic,
    authentication,
    client,
    help,
    introspection,
    statistics,
    completion,
    messages,
    jobs,
    administration,
    audit,
    penalties,
    client_certificates,
    certificates,
    tokens,
    enrolment,
)
