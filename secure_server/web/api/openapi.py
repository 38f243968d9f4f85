"""The catalogue as OpenAPI 3.1, for tools that make clients, forms and tests of it."""

from __future__ import annotations

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_server.version import VERSION

_TYPES: dict[str, dict[str, object]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
}
_ERROR = {"$ref": "#/components/responses/Error"}


def openapi(reply: object) -> dict[str, object]:
    """Describe what may be asked for.

    Args:
        reply: to `COMMANDS`, so it is what the caller may run.
    """
    found = [CommandDescription.from_wire(item) for item in reply] if isinstance(reply, list) else []
    paths: dict[str, object] = {f"/v1/run/{item.name.replace(' ', '/')}": {"post": _run(item)} for item in found}
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
    paths["/v1/commands"] = {"get": _get("The commands that you may run.")}
    paths["/v1/jobs"] = {"get": _get("The jobs that you may see.")}
    paths["/v1/jobs/{number}"] = {
        "parameters": [number],
        "get": _get("One job; as events its output, and its end."),
        "delete": _get("Have a job stop."),
    }
    start = {"name": "from", "in": "query", "schema": {"type": "integer", "minimum": 0}}
    patience = {"name": "wait", "in": "query", "schema": {"type": "string"}, "example": "30s"}
    paths["/v1/jobs/{number}/output"] = {
        "parameters": [number, start, patience],
        "get": _get("A job's output from a part on."),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Secure command server", "version": VERSION},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Error": {
                    "description": "Why not: a stable code, and a sentence.",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["error"],
                                "properties": {
                                    "error": {
                                        "type": "object",
                                        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                                        "required": ["code", "message"],
                                    }
                                },
                            }
                        }
                    },
                }
            },
        },
    }


def _get(summary: str) -> dict[str, object]:
    return {"summary": summary, "responses": {"200": _answer("The answer."), "default": _ERROR}}


def _answer(description: str) -> dict[str, object]:
    return {"description": description, "content": {"application/json": {"schema": {}}}}


def _header(name: str, description: str, example: str) -> dict[str, object]:
    return {
        "name": name, "in": "header", "description": description, "schema": {"type": "string"}, "example": example,
    }  # fmt: skip


_KEY = _header("Idempotency-Key", "The same key leads to the job that there is.", "night-17")
_PREFER = _header("Prefer", "Have it run as a job.", "respond-async")
_REPLY: dict[str, object] = {
    "description": "The answer: all at once, as lines, or as events.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"parts": {"type": "array"}, "reply": {}}, "required": ["reply"]}
        },
        "text/plain": {"schema": {"type": "string"}},
        "text/event-stream": {"schema": {"type": "string"}},
    },
}
_STARTED: dict[str, object] = {
    "description": "It runs as a job.",
    "headers": {"Location": {"description": "The job's address.", "schema": {"type": "string"}}},
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "job": {"type": "integer"}, "state": {"type": "string"}, "href": {"type": "string"},
                },
                "required": ["job", "state", "href"],
            }
        }
    },
}  # fmt: skip


def _run(item: CommandDescription) -> dict[str, object]:
    properties = {argument.name: _schema(argument) for argument in item.arguments}
    required = [argument.name for argument in item.arguments if not (argument.optional or argument.flag)]
    schema: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return {
        "summary": item.summary,
        "tags": [item.group] if item.group else [],
        "operationId": item.name.lower().replace(" ", "-"),
        "parameters": [_PREFER, _KEY],
        "requestBody": {"required": bool(required), "content": {"application/json": {"schema": schema}}},
        "responses": {"200": _REPLY, "202": _STARTED, "default": _ERROR},
    }


def _schema(argument: ArgumentDescription) -> dict[str, object]:
    schema = dict(_TYPES.get(argument.type, {"type": "string"}))
    if argument.choices:
        schema["enum"] = list(argument.choices)
    if argument.type in ("int", "float"):
        bounds = {"minimum": argument.minimum, "maximum": argument.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if argument.variadic:
        schema = {"type": "array", "items": schema}
    elif argument.pattern and not argument.choices:
        schema["pattern"] = f"^(?:{argument.pattern})$"
    if argument.summary:
        schema["description"] = argument.summary
    if argument.secret:
        schema["writeOnly"] = True
    return schema
