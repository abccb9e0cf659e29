"""Writes the voice as the TTS package has it: config.json and model.pth, plain weights in half precision."""

from __future__ import annotations

from pathlib import Path

import torch

from gpu_workers.demo.voice_training.network import TrainedVits, config

MAX_BYTES = 10_000_000


def export(folder: Path, voice: TrainedVits, *, steps: int, length_scale: float = 1.0) -> int:
    """Write the voice into `folder` and return its bytes. Raises ValueError when they are too many."""
    folder.mkdir(parents=True, exist_ok=True)
    # A fresh config: making a network fills in what the config leaves open.
    settings = config()
    settings.model_args.length_scale = length_scale
    settings.save_json(folder / "config.json")
    weights = {name: tensor.cpu().half() for name, tensor in voice.state_dict().items()}
    torch.save({"model": weights, "step": steps, "epoch": 0}, folder / "model.pth")
    size = sum((folder / name).stat().st_size for name in ("config.json", "model.pth"))
    if size > MAX_BYTES:
        raise ValueError(f"The voice takes {size:,} bytes; {MAX_BYTES:,} is the limit.")
    return size
