"""Reading the catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, cast

import redis
import structlog
from django.db.models import QuerySet

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.redis_client import redis_client
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.catalog.models import MODEL_ID, Medium, Model, Origin
from apps.catalog.seed_words import in_readers_language

log = structlog.get_logger(__name__)

# What a page may know of a model's options; the others name servers, keys and devices.
PUBLIC_OPTIONS = frozenset({
    "context_window", "vision", "max_tokens", "temperature", "top_p", "top_k",
    "default_width", "default_height", "default_steps", "default_guidance", "default_scheduler",
    "default_strength", "min_side", "max_side", "max_steps", "max_guidance", "max_count", "sizes",
    "voices", "default_voice", "speakers", "default_speaker", "default_language",
})  # fmt: skip

LoadState = Literal["idle", "downloading", "loading", "ready", "failed"]
LOAD_STATES: frozenset[str] = frozenset({"idle", "downloading", "loading", "ready", "failed"})


class ModelNotFound(AppError):
    """No model has that id, or none is the default of the medium, or it makes something else."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.MODEL_NOT_FOUND, message, field="model")


class ModelDisabled(AppError):
    """The model is listed, but staff have not enabled it."""

    def __init__(self, model_id: str) -> None:
        message = (
            f"The model {model_id} is not enabled; choose another one, or ask whoever runs this installation."
        )
        super().__init__(ErrorCode.MODEL_DISABLED, message, field="model")


class VoiceView(TypedDict):
    """A voice as the API shows it; one without a language speaks all languages of its model."""

    id: str
    name: str
    language: str


class SpokenView(TypedDict):
    """How a voice model can speak, as a worker found it when it loaded it; until then it is not `known`.

    No languages of a known one: the model does not say.
    """

    model: str
    known: bool
    voices: list[VoiceView]
    languages: list[str]


class ModelSpecFields(TypedDict):
    """The fields of the worker contract's ModelSpec, which only `apps.jobs.dispatch` may import."""

    id: str
    medium: str
    engine: str
    source: str
    revision: str
    quantization: str
    dtype: str
    options: dict[str, Any]


class ModelState(TypedDict):
    """Where the workers are with a model; `done` of `total` counts bytes while downloading."""

    state: LoadState
    done: int
    total: int
    message: str


class ModelView(TypedDict):
    """A model as the API shows it."""

    id: str
    name: str
    notes: str
    medium: str
    engine: str
    origin: str
    source: str
    demo: bool
    random: bool
    enabled: bool
    default: bool
    size_bytes: int
    languages: list[str]
    options: dict[str, Any]
    state: ModelState


def get_model_spec(model_id: str | None, medium: str) -> ModelSpecFields:
    """What a worker needs to run the named model, or the medium's default one.

    Raises ModelNotFound or ModelDisabled.
    """
    if not model_id:
        default = Model.objects.filter(medium=medium, is_default=True).first()
        if default is None:
            raise ModelNotFound(
                f"No model is the default for {medium}; name one, or set a default in the admin."
            )
        return spec_of(default)
    model = find_model(Model.objects.all(), model_id)
    if model.medium != medium:
        raise ModelNotFound(f"The model {model_id} makes {model.medium}, not {medium}.")
    if not model.enabled:
        raise ModelDisabled(model_id)
    return spec_of(model)


def is_untrained(model_id: str) -> bool:
    """Whether its weights are random, so that what it says means nothing."""
    return Model.objects.filter(pk=model_id, random=True).exists()


def reads_images(model_id: str | None) -> bool:
    """Whether the named chat model, or the default one, reads pictures. Raises ModelNotFound or ModelDisabled."""
    return bool(get_model_spec(model_id, Medium.CHAT)["options"].get("vision"))


def find_model(models: QuerySet[Model], model_id: str) -> Model:
    """The row with that id. Raises ModelNotFound; what can be no id does not reach the database."""
    model = models.filter(pk=model_id).first() if re.match(MODEL_ID, model_id) else None
    if model is None:
        raise ModelNotFound(f"There is no model {model_id[:60]!r}; GET /api/v1/models lists them.")
    return model


def spec_of(model: Model) -> ModelSpecFields:
    """The row as the worker contract writes it."""
    return ModelSpecFields(
        id=model.pk,
        medium=model.medium,
        engine=model.engine,
        source=model.source,
        revision=model.revision,
        quantization=model.quantization,
        dtype=model.dtype,
        options=model.options,
    )


def list_models(actor: Actor, medium: str | None = None) -> list[ModelView]:
    """All models, disabled ones too, in the order to offer them. Raises AppError for an unknown medium."""
    actor.check(Permission.READ_MODELS)
    models = Model.objects.all()
    if medium is not None:
        if medium not in Medium.values:
            message = f"There is no medium {medium[:30]!r}; use one of {', '.join(Medium.values)}."
            raise AppError(ErrorCode.BAD_REQUEST, message, field="medium")
        models = models.filter(medium=medium)
    rows = list(models)
    states = model_states([row.pk for row in rows])
    return [_view(row, states[row.pk], actor) for row in rows]


def get_model_view(actor: Actor, model_id: str) -> ModelView:
    """One model as the API shows it. Raises ModelNotFound."""
    actor.check(Permission.READ_MODELS)
    model = find_model(Model.objects.all(), model_id)
    return _view(model, model_states([model_id])[model_id], actor)


def read_spoken(model_id: str) -> SpokenView | None:
    """What a worker last found of a voice model; None before any has loaded it, or while Redis is away."""
    try:
        text = redis_client().get(f"aigc:spoken:{model_id}")
    except redis.RedisError as error:
        log.warning("voices_unavailable", error=str(error))
        return None
    if text is None:
        return None
    return cast("SpokenView", {"model": model_id, "known": True, **json.loads(cast("str", text))})


def _view(model: Model, state: ModelState, actor: Actor) -> ModelView:
    # Folders and addresses of servers are for those who run the installation; a public name is for everybody.
    is_public = model.origin in {Origin.DEMO, Origin.DOWNLOAD}
    return ModelView(
        id=model.pk,
        name=in_readers_language(model.name),
        notes=in_readers_language(model.notes),
        medium=model.medium,
        engine=model.engine,
        origin=model.origin,
        source=model.source if is_public or actor.is_staff else "",
        demo=model.demo,
        random=model.random,
        enabled=model.enabled,
        default=model.is_default,
        size_bytes=model.size_bytes,
        languages=list(model.languages),
        options={name: value for name, value in model.options.items() if name in PUBLIC_OPTIONS},
        state=state,
    )


def model_states(model_ids: list[str]) -> dict[str, ModelState]:
    """What the workers say about each model; a model that nobody has loaded is `idle`."""
    try:
        client = redis_client()
        with client.pipeline(transaction=False) as pipe:
            for model_id in model_ids:
                pipe.hgetall(f"aigc:model:{model_id}")
            facts = cast("list[dict[str, str]]", pipe.execute())
    except redis.RedisError as error:
        # The list itself comes from the database and is worth showing without this.
        log.warning("model_states_unavailable", error=str(error))
        unknown = ModelState(
            state="idle", done=0, total=0, message="Redis does not answer; the state is not known."
        )
        return dict.fromkeys(model_ids, unknown)
    return {model_id: _state(fact) for model_id, fact in zip(model_ids, facts, strict=True)}


def _state(facts: Mapping[str, str]) -> ModelState:
    state = facts.get("state", "idle")
    return ModelState(
        state=cast("LoadState", state) if state in LOAD_STATES else "idle",
        done=_count(facts.get("done")),
        total=_count(facts.get("total")),
        message=facts.get("message", ""),
    )


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
