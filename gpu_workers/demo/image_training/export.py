"""Writes the whole pipeline as diffusers has it, in half precision."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from gpu_workers.demo.image_training.networks import Painter, make_scheduler
from gpu_workers.demo.image_training.tokens import Merges, make_tokenizers, save_tokenizers

MAX_BYTES = 28_000_000


def export(folder: Path, vae: AutoencoderKL, painter: Painter, tokens: tuple[dict[str, int], Merges]) -> int:
    """Write the pipeline into `folder` and return its bytes. Raises ValueError when they are too many."""
    tokenizer, tokenizer_2 = make_tokenizers(*tokens)
    pipeline = StableDiffusionXLPipeline(
        vae=vae.half(),
        text_encoder=painter.texts.text_encoder.half(),
        text_encoder_2=painter.texts.text_encoder_2.half(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=painter.unet.half(),
        scheduler=make_scheduler(),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    save_tokenizers(folder, *tokens)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_BYTES:
        raise ValueError(f"The pipeline takes {size:,} bytes; {MAX_BYTES:,} is the limit.")
    return size
