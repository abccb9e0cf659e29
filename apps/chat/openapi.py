"""What the OpenAPI document says of chat beyond what the serializers can: parameters, and the plain view."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from apps.chat.params import AnswerParams
from apps.chat.serializers import ChatRequest
from apps.jobs.openapi import JSON, SCHEMAS, add_model


def describe_chat(result: JSON, **_: Any) -> JSON:
    """Add to the document what is missing; the document."""
    schemas = result["components"]["schemas"]
    add_model(schemas, "AnswerParams", TypeAdapter(AnswerParams))
    add_model(schemas, "ChatRequest", TypeAdapter(ChatRequest))
    result["paths"]["/api/v1/chat"] = {
        "post": {
            "operationId": "chat_ask",
            "description": "Ask once: the finished job, or with `stream` its events.",
            "parameters": [{"in": "header", "name": "Idempotency-Key", "schema": {"type": "string"}}],
            "tags": ["chat"],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}ChatRequest"}}},
            },
            "responses": {
                "200": {
                    "description": "",
                    "content": {
                        "application/json": {"schema": {"$ref": f"{SCHEMAS}ChatJob"}},
                        "text/event-stream": {"schema": {"type": "string"}},
                    },
                }
            },
        }
    }
    return result
