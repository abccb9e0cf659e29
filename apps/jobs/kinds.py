"""The kinds of jobs: each medium's app registers its own, so that this app need not know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class JobInput(BaseModel):
    """Base of the media's inputs: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def uploads(cls, data: Mapping[str, Any]) -> dict[str, str]:
        """The uploads that an input, as JSON, names: ids by the field, under which the engine finds each file."""
        return {}

    def check_model(self, spec: Mapping[str, Any]) -> None:
        """Refuse what this model cannot do. Raises AppError with the field."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One medium's way to make and end a job.

    `on_finished` is called in the transaction that moves the row to its terminal state, `after_finished` once that
    is committed; both with the job's id.
    """

    name: str
    input: type[JobInput]
    on_finished: Callable[[str], None] | None = None
    after_finished: Callable[[str], None] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known; called once by its app's `ready`."""
    _kinds[kind.name] = kind


def get_kind(name: str) -> Kind | None:
    """The kind of this name."""
    return _kinds.get(name)


def kind_names() -> list[str]:
    """All names, in the order of registration."""
    return list(_kinds)


def describe_input(name: str) -> dict[str, Any]:
    """The JSON schema of a kind's input."""
    return _kinds[name].input.model_json_schema()
