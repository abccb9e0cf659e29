"""A random SDXL of about two megabytes: every part of the real architecture, in the real file format.

It makes coloured noise. It is there so that the product and its tests run the real code where no trained
demo model lies beside this module.
"""

from __future__ import annotations

import gpu_workers.engines.torchaudio_import  # noqa: F401  # isort: skip  # before diffusers: see there

import json
from itertools import accumulate
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SEED = 20240718
# 16 latents of 8 pixels: 128×128 images.
SAMPLE_SIZE = 16
MAX_TOKENS = 77
LATENT_CHANNELS = 4

_FIRST_WIDTH, _SECOND_WIDTH = 24, 32
_TIME_IDS, _TIME_ID_WIDTH = 6, 8
_START, _END, _WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
# Token 0, with which SDXL pads its second text encoder.
_FIRST = "!"
# Words that get a token of their own, so that the merges of the format are in use. Longer words come first:
# the first merges win, and that of "at" would break up "cat".
_WORDS = (
    "painting",
    "light",
    "night",
    "photo",
    "city",
    "tree",
    "with",
    "cat",
    "dog",
    "red",
    "sea",
    "the",
    "at",
    "of",
    "a",
)


def build(folder: Path) -> None:
    """Write the pipeline into `folder`: the same weights each time; torch's global random state is kept."""
    vocabulary, merges = _byte_pair_encoding()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        pipeline = StableDiffusionXLPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text_config(_FIRST_WIDTH, "quick_gelu", vocabulary)),
            text_encoder_2=CLIPTextModelWithProjection(_text_config(_SECOND_WIDTH, "gelu", vocabulary)),
            tokenizer=CLIPTokenizer(vocabulary, merges, model_max_length=MAX_TOKENS),
            tokenizer_2=CLIPTokenizer(vocabulary, merges, model_max_length=MAX_TOKENS, pad_token=_FIRST),
            unet=_unet(),
            scheduler=_scheduler(),
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for name, padding in (("tokenizer", _END), ("tokenizer_2", _FIRST)):
        _write_tokenizer(folder / name, vocabulary, merges, padding)


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SAMPLE_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(16, 32, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(2, 4, 4),
        use_linear_projection=True,
        cross_attention_dim=_FIRST_WIDTH + _SECOND_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=_TIME_ID_WIDTH,
        projection_class_embeddings_input_dim=_TIME_IDS * _TIME_ID_WIDTH + _SECOND_WIDTH,
    )


def _vae() -> AutoencoderKL:
    vae = AutoencoderKL(
        # As large as the real one's: the size at which tiled decoding would begin.
        sample_size=1024,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(8, 16, 16, 16),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        # Makes the latents of pictures about as large as the noise that is added to them.
        scaling_factor=4.0,
        force_upcast=True,
    )
    # A trained encoder is almost sure of its latents; a random one would add noise as large as they are.
    with torch.no_grad():
        vae.quant_conv.bias[LATENT_CHANNELS:] = -20.0
    return vae


def _text_config(width: int, activation: str, vocabulary: dict[str, int]) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        hidden_act=activation,
        projection_dim=_SECOND_WIDTH,
        bos_token_id=vocabulary[_START],
        eos_token_id=vocabulary[_END],
        pad_token_id=vocabulary[_END],
    )


def _scheduler() -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )


def _byte_pair_encoding() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's scheme: each byte, each byte that ends a word, what the merges make, and two special tokens."""
    alphabet = sorted(ByteLevel.alphabet())
    pairs = dict.fromkeys(pair for word in _WORDS for pair in _merges_of(word))
    tokens = [*alphabet, *(letter + _WORD_END for letter in alphabet), *map("".join, pairs), _START, _END]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}, list(pairs)


def _merges_of(word: str) -> list[tuple[str, str]]:
    """From the left, letter by letter: c a t</w>, ca t</w>, cat</w>."""
    letters = [*word[:-1], word[-1] + _WORD_END]
    return list(zip(accumulate(letters), letters[1:], strict=False))


def _write_tokenizer(
    folder: Path, vocabulary: dict[str, int], merges: list[tuple[str, str]], padding: str
) -> None:
    """The files that the published SDXL has; today's library would write a single newer one."""
    (folder / "tokenizer.json").unlink(missing_ok=True)
    special = {"bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": padding}
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": MAX_TOKENS,
        "do_lower_case": True,
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2))
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
