"""The events of a job as this side knows them, and what a reader of them holds."""

from __future__ import annotations

from typing import Any

from gpu_workers.contract.events import (
    BEGINNING,
    EVENT_TYPES,
    TERMINAL_TYPES,
    Artifact,
    Blocked,
    Cancelled,
    Delta,
    Event,
    EventId,
    Failed,
    Finished,
    Queued,
    Retry,
    Snapshot,
    Started,
    fold,
)

__all__ = [
    "BEGINNING",
    "EVENT_TYPES",
    "TERMINAL_TYPES",
    "Artifact",
    "Blocked",
    "Cancelled",
    "Delta",
    "Event",
    "EventId",
    "Failed",
    "Finished",
    "Queued",
    "Retry",
    "Snapshot",
    "Started",
    "events_of_result",
    "fold",
    "result_of",
]


def result_of(kind: str, snapshot: Snapshot) -> dict[str, Any] | None:
    """The `result` of a job as its readers see it, finished or not; None before anything was made."""
    result: dict[str, Any]
    if kind == "chat":
        result = {"text": snapshot.text, "reasoning": snapshot.reasoning}
        has_content = bool(snapshot.text or snapshot.reasoning)
    else:
        result = {"artifacts": [artifact.as_json() for artifact in snapshot.artifacts]}
        has_content = bool(snapshot.artifacts)
    if snapshot.finish_reason is None and not has_content:
        return None
    optional = {
        "finish_reason": snapshot.finish_reason,
        "confidence": snapshot.confidence,
        "usage": snapshot.usage or None,
    }
    return result | {name: value for name, value in optional.items() if value is not None}


def events_of_result(
    *, status: str, attempt: int, model: str, result: dict[str, Any] | None, error: dict[str, Any] | None
) -> list[Event]:
    """The shortest stream that folds to a stored job: what a reader gets once the job's own stream has expired."""
    result = result or {}
    events: list[Event] = [Started(attempt=attempt, model=model)]
    if result.get("text") or result.get("reasoning"):
        events.append(Delta(text=result.get("text"), reasoning=result.get("reasoning"), whole=True))
    events += [Artifact(**artifact) for artifact in result.get("artifacts", ())]
    match status:
        case "succeeded":
            events.append(
                Finished(
                    result.get("usage", {}), result.get("finish_reason", "stop"), result.get("confidence")
                )
            )
        case "failed":
            reason = error or {}
            message, code = reason.get("message", ""), reason.get("code", "failed")
            events.append(Failed(code=code, message=message, retryable=reason.get("retryable", False)))
        case "blocked":
            events.append(Blocked(rule=(error or {}).get("rule", "")))
        case "cancelled":
            events.append(Cancelled())
    return events
