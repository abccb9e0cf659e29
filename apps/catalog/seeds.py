"""The models that every installation lists from its first start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.catalog.models import Engine, Medium

GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Seed:
    """A row to begin with; `demo_name` is the folder under gpu_workers/demo that may hold a trained model."""

    id: str
    name: str
    medium: Medium
    engine: Engine
    source: str = ""
    notes: str = ""
    revision: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    enabled: bool = False
    is_default: bool = False
    demo_name: str = ""
    size_bytes: int = 0
    languages: tuple[str, ...] = ()

    def row(self, *, trained: bool) -> dict[str, Any]:
        """The fields of the row, apart from its id. `trained`: the demo's folder holds a model."""
        return {
            "name": self.demo_title(trained=trained) if self.demo_name else self.name,
            "medium": self.medium,
            "engine": self.engine,
            "source": self.source,
            "notes": self.notes,
            "revision": self.revision,
            "options": self.options,
            "enabled": self.enabled,
            "is_default": self.is_default,
            "demo": bool(self.demo_name),
            "random": bool(self.demo_name) and not trained,
            "size_bytes": self.size_bytes,
            "languages": list(self.languages),
        }

    def demo_title(self, *, trained: bool) -> str:
        """The name of a demo model says whether it has learned anything."""
        return f"{self.name}: " + ("Demo" if trained else "tiny random (untrained)")


SEEDS: tuple[Seed, ...] = (
    Seed(
        "demo-chat", "Chat", Medium.CHAT, Engine.DEEPSEEK, "demo:chat",
        notes="Runs anywhere. Enable a larger model for useful answers.",
        enabled=True, is_default=True, demo_name="chat",
    ),
    Seed(
        "demo-image", "Image", Medium.IMAGE, Engine.SDXL, "demo:image",
        notes="Runs anywhere. Enable SDXL for real pictures.",
        options={"default_width": 128, "default_height": 128, "default_steps": 20},
        enabled=True, is_default=True, demo_name="image",
    ),
    Seed(
        "espeak", "eSpeak NG", Medium.VOICE, Engine.ESPEAK,
        notes="Over a hundred languages, at once, on any machine; sounds synthetic.",
        enabled=True, is_default=True,
    ),
    Seed(
        "demo-voice", "Voice", Medium.VOICE, Engine.VITS, "demo:voice",
        notes="Runs anywhere. Enable a VITS model for a natural voice.",
        enabled=True, demo_name="voice",
    ),
    Seed(
        "deepseek-r1-distill-qwen-1.5b", "DeepSeek R1 Distill Qwen 1.5B", Medium.CHAT, Engine.DEEPSEEK,
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", revision="main",
        notes="Reasons before it answers. Needs about 4 GB of memory, better on a GPU. MIT licence.",
        size_bytes=int(3.6 * GB), languages=("en", "zh"),
    ),
    Seed(
        "sdxl-base-1.0", "Stable Diffusion XL 1.0", Medium.IMAGE, Engine.SDXL,
        "stabilityai/stable-diffusion-xl-base-1.0", revision="main",
        notes="Pictures of 1024 by 1024. Wants a GPU with 8 GB or more. CreativeML Open RAIL++-M licence.",
        # The repository holds the half-precision files beside the full ones; these are the smaller half.
        options={"variant": "fp16"}, size_bytes=int(6.9 * GB), languages=("en",),
    ),
    Seed(
        "vits-ljspeech", "VITS LJSpeech", Medium.VOICE, Engine.VITS, "tts_models/en/ljspeech/vits",
        notes="A natural English voice; runs on a CPU.",
        size_bytes=int(0.15 * GB), languages=("en",),
    ),
    Seed(
        "deepseek-api", "DeepSeek API (deepseek-chat)", Medium.CHAT, Engine.OPENAI, "https://api.deepseek.com",
        notes="Runs on DeepSeek's servers: what people write leaves this machine, and it costs money. "
        "Set DEEPSEEK_API_KEY for the gpu worker. Copy this entry for vLLM, SGLang or Ollama.",
        options={"model": "deepseek-chat", "api_key_env": "DEEPSEEK_API_KEY"}, languages=("en", "zh"),
    ),
)  # fmt: skip


def holds_model(folder: Path) -> bool:
    """Whether a trained model lies in the folder."""
    return folder.is_dir() and ((folder / "config.json").is_file() or any(folder.rglob("*.safetensors")))
