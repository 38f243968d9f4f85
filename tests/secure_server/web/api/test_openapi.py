"""The catalogue as OpenAPI: what a tool that reads it needs, of each kind of argument."""

from __future__ import annotations

from typing import Any

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.registry import Registry
from secure_server.web.api.openapi import openapi

COMMAND = CommandDescription(
    "CACHE CLEAR",
    "Clear it.",
    "operator",
    (
        ArgumentDescription("name", pattern="[a-z]+", summary="Whose."),
        ArgumentDescription("size", "int", optional=True, minimum=1, maximum=9),
        ArgumentDescription("kinds", choices=("hot", "cold"), optional=True, variadic=True),
        ArgumentDescription("force", "bool", optional=True, flag=True),
        ArgumentDescription("password", optional=True, flag=True, secret=True),
    ),
    group="Caches",
)


def schema(described: dict[str, Any]) -> dict[str, Any]:
    """Return what the body of the command's request is to be."""
    found = described["paths"]["/v1/run/CACHE/CLEAR"]["post"]["requestBody"]
    assert found["required"]
    body = found["content"]["application/json"]["schema"]
    assert isinstance(body, dict)
    return body


def test_arguments_are_described() -> None:
    """Their types, bounds and choices; what is required; and that there are no others."""
    body = schema(openapi([COMMAND.to_wire()]))
    assert body["required"] == ["name"]
    assert body["additionalProperties"] is False
    assert body["properties"] == {
        "name": {"type": "string", "pattern": "^(?:[a-z]+)$", "description": "Whose."},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "kinds": {"type": "array", "items": {"type": "string", "enum": ["hot", "cold"]}},
        "force": {"type": "boolean"},
        "password": {"type": "string", "writeOnly": True},
    }


def test_every_command_can_be_told() -> None:
    """Each has an address and a name of its own, and each reference leads somewhere."""
    registry = Registry()
    registry.load(BUILT_IN)
    described = openapi([command.describe(str).to_wire() for command in registry])
    paths = described["paths"]
    assert isinstance(paths, dict)
    operations = [item["post"]["operationId"] for item in paths.values() if "post" in item]
    assert len(operations) == len(set(operations)) > 50
    assert openapi("no list")["paths"]
    assert described["components"]["responses"]["Error"]  # type: ignore[index] # as `$ref` has it
