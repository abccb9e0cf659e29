"""What the OpenAPI document says of jobs beyond what their serializers can: each kind's input, the events, plain views.

drf-spectacular calls `describe_jobs` when it has described everything else (`SPECTACULAR_SETTINGS`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from apps.jobs import kinds
from apps.jobs.events import EVENT_TYPES

JSON = dict[str, Any]

SCHEMAS = "#/components/schemas/"
_ID = {"type": "string", "format": "uuid"}
_USAGE: JSON = {
    "type": "object",
    "description": "What a job took, as its engine counts; an engine may count more than these.",
    "properties": {
        "prompt_tokens": {"type": "integer"},
        "completion_tokens": {"type": "integer"},
        "dropped_turns": {
            "type": "integer",
            "description": "How many of the conversation's oldest turns the model has not read; absent for none.",
        },
        "first_chunk_s": {
            "type": "number",
            "description": "From the start of the work to the first piece of it.",
        },
        "run_s": {"type": "number"},
    },
    "additionalProperties": {},
}
_ERROR: JSON = {
    "type": "object",
    "description": "Why a job failed or was refused.",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "retryable": {"type": "boolean", "description": "The same job could work later."},
        "rule": {"type": "string", "description": "Of a refused one: which rule it met."},
    },
    "required": ["code", "message"],
}


def describe_jobs(result: JSON, **_: Any) -> JSON:
    """Add to the document what is missing; the document."""
    schemas = result["components"]["schemas"]
    schemas["Usage"], schemas["JobError"] = copy.deepcopy(_USAGE), copy.deepcopy(_ERROR)
    for name in kinds.kind_names():
        kind = kinds.get_kind(name)
        if kind is not None:
            add_model(schemas, f"{name.capitalize()}Input", TypeAdapter(kind.input))
    for whole in ("Job", "SubmitRequest"):
        _split_by_kind(schemas, whole)
    _add_events(schemas)
    result["paths"] |= _plain_paths()
    return result


def add_model(schemas: JSON, name: str, model: TypeAdapter[Any]) -> None:
    """The JSON schema of a type as components: its own under `name`, those that it is made of under theirs."""
    described = model.json_schema(ref_template=SCHEMAS + "{model}")
    for inner, schema in described.pop("$defs", {}).items():
        schemas.setdefault(inner, _tidied(schema))
    schemas[name] = _tidied(described)


def _tidied(schema: JSON) -> JSON:
    """Without the titles that only repeat the names; what may be null may as well be left out: one form, not two."""
    schema.pop("title", None)
    properties: JSON = schema.get("properties", {})
    for name, about in properties.items():
        about.pop("title", None)
        options = [each for each in about.get("anyOf", ()) if each != {"type": "null"}]
        if len(options) == 1:
            rest = {key: value for key, value in about.items() if key not in {"anyOf", "default"}}
            properties[name] = {**rest, **options[0]}
    return schema


def _split_by_kind(schemas: JSON, whole: str) -> None:
    """`Job` becomes one of ChatJob, ImageJob …: the kind says what the input holds."""
    parts = {}
    for name in kinds.kind_names():
        part = copy.deepcopy(schemas[whole])
        part["properties"]["kind"] = {"type": "string", "enum": [name]}
        part["properties"]["input"] = {"$ref": f"{SCHEMAS}{name.capitalize()}Input"}
        title = f"{name.capitalize()}{whole}"
        schemas[title] = part
        parts[name] = SCHEMAS + title
    schemas[whole] = {
        "oneOf": [{"$ref": ref} for ref in parts.values()],
        "discriminator": {"propertyName": "kind", "mapping": parts},
    }


def _add_events(schemas: JSON) -> None:
    for type_, event in EVENT_TYPES.items():
        name = f"{event.__name__}Event"
        add_model(schemas, name, TypeAdapter(event))
        properties: JSON = schemas[name].setdefault("properties", {})
        if "usage" in properties:
            properties["usage"] = {"$ref": f"{SCHEMAS}Usage"}
        if type_ == "retry":  # `from` is a Python keyword
            properties["from"] = properties.pop("origin")
            schemas[name]["required"] = ["attempt", "from"]
    schemas["JobEvents"] = {
        "type": "object",
        "description": "The data of an event, by its type.",
        "properties": {
            type_: {"$ref": f"{SCHEMAS}{event.__name__}Event"} for type_, event in EVENT_TYPES.items()
        },
        "required": list(EVENT_TYPES),
    }


def _plain_paths() -> JSON:
    """The views that are Django's own, since streams and files need no parser and no renderer."""
    after = {"in": "header", "name": "Last-Event-ID", "schema": {"type": "string"}}
    return {
        "/api/v1/jobs/{job_id}/events": {
            "get": {
                "operationId": "jobs_events",
                "description": "The job's events as they happen; an event's `data` is as JobEvents says.",
                "parameters": [_in_path("job_id"), after],
                "tags": ["jobs"],
                "responses": {
                    "200": {
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                        "description": "",
                    }
                },
            }
        },
        "/api/v1/jobs/{job_id}/artifacts/{artifact_id}": file_path(
            "jobs_artifact",
            "A file that the job made; ranges are answered.",
            ids=("job_id", "artifact_id"),
            tag="jobs",
        ),
        "/api/v1/uploads/{upload_id}/file": file_path(
            "uploads_file", "The file as it was uploaded.", ids=("upload_id",), tag="uploads"
        ),
    }


def file_path(
    operation: str,
    description: str,
    *,
    ids: Sequence[str],
    tag: str,
    parameters: Sequence[JSON] = (),
    media_types: Sequence[str] = ("*/*",),
) -> JSON:
    """A plain view that answers GET with a file: the description of its address."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        "get": {
            "operationId": operation,
            "description": description,
            "parameters": [*map(_in_path, ids), *parameters],
            "tags": [tag],
            "responses": {"200": {"content": dict.fromkeys(media_types, binary), "description": ""}},
        }
    }


def _in_path(name: str) -> JSON:
    return {"in": "path", "name": name, "required": True, "schema": _ID}
