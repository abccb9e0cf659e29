"""Changing the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.redis_client import redis_client
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.audit.models import Action
from apps.audit.services import record
from apps.catalog.models import Medium, Model
from apps.catalog.seeds import SEEDS, Seed, holds_model
from apps.catalog.selectors import (
    ModelSpecFields,
    SpokenView,
    find_model,
    get_model_spec,
    read_spoken,
    spec_of,
)

log = structlog.get_logger(__name__)

OnEnable = Callable[[ModelSpecFields], None]

_on_enable: list[OnEnable] = []
# A worker that has not loaded a model by then is asked again.
VOICES_ASKED_AGAIN_S = 30


def register_on_enable(callback: OnEnable) -> None:
    """Have `callback` told of each model that becomes enabled, after the change is committed.

    Jobs stand above the catalogue and register here at start, so that a worker begins to load the model.
    """
    if callback not in _on_enable:
        _on_enable.append(callback)


def enable_model(actor: Actor, model_id: str) -> None:
    """Let people choose the model, and have it fetched. Doing it again fetches it again: harmless."""
    actor.check_staff()
    with transaction.atomic():
        model = _locked(model_id)
        if Model.objects.filter(pk=model_id, enabled=False).update(enabled=True):
            _record(actor, Action.MODEL_ENABLED, model)
        _announce(model)


def disable_model(actor: Actor, model_id: str) -> None:
    """Take the model off the list of choices; jobs that run go on. Raises AppError for a default model."""
    actor.check_staff()
    with transaction.atomic():
        model = _locked(model_id)
        if model.is_default:
            message = _("%(id)s is the default for %(medium)s; make another model the default first.")
            about = {"id": model_id, "medium": model.medium}
            raise AppError(ErrorCode.CONFLICT, message % about, field="model")
        if Model.objects.filter(pk=model_id, enabled=True).update(enabled=False):
            _record(actor, Action.MODEL_DISABLED, model)


def make_default(actor: Actor, model_id: str) -> None:
    """Take the model when a job of its medium names none. Raises AppError when it is not enabled."""
    actor.check_staff()
    with transaction.atomic():
        model = _locked(model_id)
        if not model.enabled:
            message = _("%(id)s is not enabled; enable it first.")
            raise AppError(ErrorCode.CONFLICT, message % {"id": model_id}, field="model")
        if model.is_default:
            return
        before = Model.objects.filter(medium=model.medium, is_default=True)
        old = list(before.values_list("pk", flat=True))
        before.update(is_default=False)
        Model.objects.filter(pk=model_id).update(is_default=True)
        _record(actor, Action.MODEL_CHANGED, model, {"is_default": {"old": old, "new": model_id}})


def save_model(actor: Actor, model: Model, *, changed: list[str]) -> None:
    """Keep what staff wrote into the entry; `changed` names the fields."""
    actor.check_staff()
    with transaction.atomic():
        model.save()
        _record(actor, Action.MODEL_CHANGED, model, {"changed": changed})
        if "enabled" in changed:
            _record(actor, Action.MODEL_ENABLED if model.enabled else Action.MODEL_DISABLED, model)
            if model.enabled:
                _announce(model)


def find_voices(actor: Actor, model_id: str | None) -> SpokenView:
    """How a voice model can speak. Until a worker has loaded it nobody knows: then one is asked to.

    Raises ModelNotFound or ModelDisabled.
    """
    actor.check(Permission.READ_MODELS)
    spec = get_model_spec(model_id, Medium.VOICE)
    found = read_spoken(spec["id"])
    if found is not None:
        return found
    try:
        if redis_client().set(f"aigc:spoken-asked:{spec['id']}", 1, nx=True, ex=VOICES_ASKED_AGAIN_S):
            for callback in _on_enable:
                callback(spec)
    except (redis.RedisError, OperationalError) as error:
        log.warning("voices_not_asked", error=str(error))
    return SpokenView(model=spec["id"], known=False, voices=[], languages=[])


def seed_catalog() -> list[str]:
    """Add the entries that are missing; returns their ids. An entry that exists keeps what people made of it.

    Only the name of a demo model that nobody renamed follows the facts: it says "untrained" until a trained
    model lies in its folder.
    """
    created = []
    for seed in SEEDS:
        trained = bool(seed.demo_name) and holds_model(settings.DEMO_MODELS_DIR / seed.demo_name)
        with transaction.atomic():
            row = seed.row(trained=trained)
            # An administrator may have chosen another default before an update brought this entry.
            if Model.objects.filter(medium=seed.medium, is_default=True).exists():
                row["is_default"] = False
            _, is_new = Model.objects.get_or_create(pk=seed.id, defaults=row)
        if is_new:
            created.append(seed.id)
        elif seed.demo_name:
            _follow_training(seed, trained=trained)
    return created


def _follow_training(seed: Seed, *, trained: bool) -> None:
    outdated = Model.objects.filter(pk=seed.id, source=seed.source, random=trained)
    outdated.filter(name=seed.demo_title(trained=not trained)).update(name=seed.demo_title(trained=trained))
    outdated.update(random=not trained)


def _locked(model_id: str) -> Model:
    return find_model(Model.objects.select_for_update(), model_id)


def _announce(model: Model) -> None:
    spec = spec_of(model)
    for callback in _on_enable:
        transaction.on_commit(partial(callback, spec))


def _record(actor: Actor, action: Action, model: Model, data: dict[str, Any] | None = None) -> None:
    record(
        action,
        workspace_id=actor.workspace_id,
        actor_id=actor.user_id,
        target_type="model",
        target_id=model.pk,
        data=data,
    )
