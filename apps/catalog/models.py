"""The catalogue: which models exist, which engine runs them and how."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class Medium(models.TextChoices):
    """What a model makes."""

    CHAT = "chat", _("Chat")
    IMAGE = "image", _("Image")
    VOICE = "voice", _("Voice")


class Engine(models.TextChoices):
    """The code that runs a model."""

    DEEPSEEK = "deepseek", "DeepSeek (transformers)"
    OPENAI = "openai", _("OpenAI-style server")
    SDXL = "sdxl", "SDXL (diffusers)"
    VITS = "vits", "VITS (TTS)"
    ESPEAK = "espeak", "eSpeak NG"


ENGINES_OF_MEDIUM: dict[str, frozenset[str]] = {
    Medium.CHAT: frozenset({Engine.DEEPSEEK, Engine.OPENAI}),
    Medium.IMAGE: frozenset({Engine.SDXL}),
    Medium.VOICE: frozenset({Engine.VITS, Engine.ESPEAK}),
}


# How a source begins that is a folder of the worker's machine; anything else is a name to download.
FOLDER_STARTS = ("/", "~", "./", "../")


class Origin(models.TextChoices):
    """Where a model's files or server are."""

    BUILT_IN = "built_in", _("Part of the product")
    DEMO = "demo", _("Ships with the product or is made on the spot")
    FOLDER = "folder", _("A folder of the worker's machine")
    DOWNLOAD = "download", _("Downloaded from the hub or the engine's own list")
    SERVER = "server", _("A server that the worker asks")


class Quantization(models.TextChoices):
    """How the weights are stored on the device."""

    NONE = "none", _("None")
    INT8 = "int8", _("8 bit")
    INT4 = "int4", _("4 bit")


class Dtype(models.TextChoices):
    """The number format that the model computes in."""

    AUTO = "auto", _("Automatic")
    FLOAT32 = "float32", "float32"
    FLOAT16 = "float16", "float16"
    BFLOAT16 = "bfloat16", "bfloat16"


def _engine_fits_medium() -> models.Q:
    fits = models.Q()
    for medium, engines in ENGINES_OF_MEDIUM.items():
        fits |= models.Q(medium=medium, engine__in=sorted(engines))
    return fits


MODEL_ID = r"^[a-z0-9][a-z0-9._-]{0,59}\Z"


class Model(models.Model):
    """A catalogue entry. `source` is a hub id, a local path, `demo:NAME` or the URL of a remote server."""

    id = models.CharField(
        _("ID"),
        primary_key=True,
        max_length=60,
        validators=[RegexValidator(MODEL_ID, _("Use small letters, digits, dots and hyphens."))],
        help_text=_("The name that programs use; it does not change."),
    )
    name = models.CharField(_("name"), max_length=100)
    notes = models.TextField(
        _("notes"), blank=True, help_text=_("What people should know before they choose it.")
    )

    # What runs it
    medium = models.CharField(_("medium"), max_length=10, choices=Medium.choices)
    engine = models.CharField(_("engine"), max_length=20, choices=Engine.choices)
    source = models.CharField(_("source"), max_length=300, blank=True)
    revision = models.CharField(
        _("revision"), max_length=100, blank=True, help_text=_("A commit, tag or branch of the source.")
    )
    quantization = models.CharField(
        _("quantization"), max_length=4, choices=Quantization.choices, default=Quantization.NONE
    )
    dtype = models.CharField(_("number format"), max_length=8, choices=Dtype.choices, default=Dtype.AUTO)
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("The engine's own options, as an object.")
    )

    # Whether people can choose it
    enabled = models.BooleanField(_("enabled"), default=False)
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Taken when a job of its medium names no model.")
    )

    # What it is
    demo = models.BooleanField(
        _("demo"), default=False, help_text=_("Ships with the product or is made on the spot.")
    )
    random = models.BooleanField(
        _("untrained"), default=False, help_text=_("Untrained weights: the output means nothing.")
    )
    size_bytes = models.PositiveBigIntegerField(
        _("download size"), default=0, help_text=_("To download; 0 means nothing to download.")
    )
    languages = models.JSONField(
        _("languages"), default=list, blank=True, help_text=_('Codes such as ["en", "zh"]; [] means any.')
    )

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ("medium", "-is_default", "-enabled", "name")
        constraints = (
            models.UniqueConstraint(
                fields=["medium"], condition=models.Q(is_default=True), name="model_one_default_per_medium"
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(enabled=True), name="model_default_is_enabled"
            ),
            models.CheckConstraint(condition=_engine_fits_medium(), name="model_engine_fits_medium"),
        )

    @override
    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> Origin:
        """Where its files or its server are, in one word."""
        if self.engine == Engine.ESPEAK:
            return Origin.BUILT_IN
        if self.engine == Engine.OPENAI:
            return Origin.SERVER
        if self.source.startswith("demo:"):
            return Origin.DEMO
        return Origin.FOLDER if self.source.startswith(FOLDER_STARTS) else Origin.DOWNLOAD

    @override
    def clean(self) -> None:
        """Say in words what the constraints would refuse, and refuse JSON of the wrong form."""
        engines = ENGINES_OF_MEDIUM.get(self.medium, frozenset())
        if self.engine and self.engine not in engines:
            choices = ", ".join(sorted(engines))
            message = _("%(engine)s does not make %(medium)s; choose one of %(choices)s.")
            about = {"engine": self.engine, "medium": self.medium, "choices": choices}
            raise ValidationError({"engine": message % about})
        if not isinstance(self.options, dict):
            raise ValidationError({"options": _('Write an object, such as {"steps": 30}.')})
        if not isinstance(self.languages, list) or not all(isinstance(code, str) for code in self.languages):
            raise ValidationError({"languages": _('Write a list of codes, such as ["en", "zh"].')})
        if self.is_default and not self.enabled:
            raise ValidationError({"is_default": _("The default model must be enabled.")})
