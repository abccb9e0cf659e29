"""Reading speeches: the voice jobs that people asked for, without those that they deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import Q, QuerySet

from aigc.lib.errors import AppError, ErrorCode
from apps.accounts.actors import Actor
from apps.catalog.selectors import SpokenView, VoiceView
from apps.jobs.selectors import get_job_for, list_jobs_for, parse_id
from apps.voice.models import DeletedSpeech
from apps.voice.params import SSML_ELEMENTS, SSML_MAX, STYLES, TEXT_MAX, StyleView

if TYPE_CHECKING:
    from apps.jobs.models import Job


class OfferView(TypedDict):
    """What can be chosen for a speech of a model."""

    model: str
    known: bool
    voices: list[VoiceView]
    languages: list[str]
    styles: list[StyleView]
    ssml_elements: dict[str, list[str]]
    text_max: int
    ssml_max: int


def view_offer(spoken: SpokenView) -> OfferView:
    """What the model can, and what is the same for all models."""
    return OfferView(
        **spoken, styles=list(STYLES), ssml_elements=SSML_ELEMENTS, text_max=TEXT_MAX, ssml_max=SSML_MAX
    )


def list_speeches(actor: Actor, *, search: str = "") -> QuerySet[Job]:
    """The actor's own speeches; with `search`, those that say it."""
    speeches = list_jobs_for(actor, kind="voice").exclude(pk__in=DeletedSpeech.objects.values("job"))
    if search:
        speeches = speeches.filter(Q(input__text__icontains=search) | Q(input__ssml__icontains=search))
    return speeches


def get_speech(actor: Actor, speech_id: str, *, deleted: bool = False) -> Job:
    """One's own speech, or one that was just `deleted`. Raises AppError `not_found`."""
    gone = DeletedSpeech.objects.values("job")
    own = list_jobs_for(actor, kind="voice").filter(pk=parse_id(speech_id))
    speech = (own.filter(pk__in=gone) if deleted else own.exclude(pk__in=gone)).first()
    if speech is None:
        raise _not_found(speech_id)
    return speech


def get_spoken_file(actor: Actor, speech_id: str) -> tuple[Job, dict[str, Any]]:
    """A speech that the actor may hear, and its file as an artifact. Raises AppError `not_found`."""
    speech = get_job_for(actor, speech_id)
    artifacts = (speech.result or {}).get("artifacts", [])
    if speech.kind != "voice" or DeletedSpeech.objects.filter(job=speech.pk).exists():
        raise _not_found(speech_id)
    if not artifacts:
        raise AppError(
            ErrorCode.NOT_FOUND,
            f"The speech {speech_id} has no file: it is not ready, or nothing was spoken.",
        )
    return speech, artifacts[-1]


def _not_found(speech_id: str) -> AppError:
    return AppError(ErrorCode.NOT_FOUND, f"There is no speech {speech_id[:50]}.")
