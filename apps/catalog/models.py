"""The catalogue: which models exist, which engine runs them and how."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from typing_extensions import override


class Medium(models.TextChoices):
    """What a model makes."""

    CHAT = "chat", "Chat"
    IMAGE = "image", "Image"
    VOICE = "voice", "Voice"


class Engine(models.TextChoices):
    """The code that runs a model."""

    DEEPSEEK = "deepseek", "DeepSeek (transformers)"
    OPENAI = "openai", "OpenAI-style server"
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

    BUILT_IN = "built_in", "Part of the product"
    DEMO = "demo", "Ships with the product or is made on the spot"
    FOLDER = "folder", "A folder of the worker's machine"
    DOWNLOAD = "download", "Downloaded from the hub or the engine's own list"
    SERVER = "server", "A server that the worker asks"


class Quantization(models.TextChoices):
    """How the weights are stored on the device."""

    NONE = "none", "None"
    INT8 = "int8", "8 bit"
    INT4 = "int4", "4 bit"


class Dtype(models.TextChoices):
    """The number format that the model computes in."""

    AUTO = "auto", "Automatic"
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
        primary_key=True,
        max_length=60,
        validators=[RegexValidator(MODEL_ID, "Use small letters, digits, dots and hyphens.")],
        help_text="The name that programs use; it does not change.",
    )
    name = models.CharField(max_length=100)
    notes = models.TextField(blank=True, help_text="What people should know before they choose it.")

    # What runs it
    medium = models.CharField(max_length=10, choices=Medium.choices)
    engine = models.CharField(max_length=20, choices=Engine.choices)
    source = models.CharField(max_length=300, blank=True)
    revision = models.CharField(
        max_length=100, blank=True, help_text="A commit, tag or branch of the source."
    )
    quantization = models.CharField(max_length=4, choices=Quantization.choices, default=Quantization.NONE)
    dtype = models.CharField(max_length=8, choices=Dtype.choices, default=Dtype.AUTO)
    options = models.JSONField(default=dict, blank=True, help_text="The engine's own options, as an object.")

    # Whether people can choose it
    enabled = models.BooleanField(default=False)
    is_default = models.BooleanField(
        default=False, help_text="Taken when a job of its medium names no model."
    )

    # What it is
    demo = models.BooleanField(default=False, help_text="Ships with the product or is made on the spot.")
    random = models.BooleanField(default=False, help_text="Untrained weights: the output means nothing.")
    size_bytes = models.PositiveBigIntegerField(
        default=0, help_text="To download; 0 means nothing to download."
    )
    languages = models.JSONField(
        default=list, blank=True, help_text='Codes such as ["en", "zh"]; [] means any.'
    )

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
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
            raise ValidationError(
                {"engine": f"{self.engine} does not make {self.medium}; choose one of {choices}."}
            )
        if not isinstance(self.options, dict):
            raise ValidationError({"options": 'Write an object, such as {"steps": 30}.'})
        if not isinstance(self.languages, list) or not all(isinstance(code, str) for code in self.languages):
            raise ValidationError({"languages": 'Write a list of codes, such as ["en", "zh"].'})
        if self.is_default and not self.enabled:
            raise ValidationError({"is_default": "The default model must be enabled."})
