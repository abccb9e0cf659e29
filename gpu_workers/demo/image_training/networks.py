"""The four networks of the demo pipeline: SDXL's own kinds, small enough for a repository."""

from __future__ import annotations

import gpu_workers.engines.torchaudio_import  # noqa: F401  # isort: skip  # before diffusers: see there

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from typing_extensions import override

from gpu_workers.demo.image_training.scenes import SIDE
from gpu_workers.demo.image_training.tokens import MAX_TOKENS

LATENT_CHANNELS = 4
_VAE_WIDTHS = (16, 48, 96)
# Four pixels a side, not the published SDXL's eight: in 128 pixels a star's points are hardly larger than that, and
# what the VAE cannot draw, no prompt can get.
PIXELS_A_LATENT = 2 ** (len(_VAE_WIDTHS) - 1)
SAMPLE_SIZE = SIDE // PIXELS_A_LATENT

TEXT_WIDTH = 128
_TIME_IDS, _TIME_ID_WIDTH = 6, 16


def make_vae() -> AutoencoderKL:
    """The way from pictures to latents and back; about 1.6 M parameters."""
    return AutoencoderKL(
        # As large as the real one's: the size at which tiled decoding would begin.
        sample_size=1024,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=_VAE_WIDTHS,
        layers_per_block=1,
        # Not more: in a plain picture a group's channels can only say how they differ, and two say one bit.
        norm_num_groups=1,
        down_block_types=("DownEncoderBlock2D",) * len(_VAE_WIDTHS),
        up_block_types=("UpDecoderBlock2D",) * len(_VAE_WIDTHS),
        # `vae_training.normalise` gives the latents this scale.
        scaling_factor=1.0,
        force_upcast=True,
    )


def make_scheduler() -> EulerDiscreteScheduler:
    """Predicts v. Ends noisier than SDXL's: 32 × 32 latents show their mean through less noise than 128 × 128."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.02,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )


class TextEncoders(torch.nn.Module):  # type: ignore[misc]  # torch's own types are not read
    """SDXL's two, with what the pipeline takes from them."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        super().__init__()
        self.text_encoder = CLIPTextModel(_text_config("quick_gelu", vocabulary))
        self.text_encoder_2 = CLIPTextModelWithProjection(_text_config("gelu", vocabulary))

    def attend_plainly(self) -> None:
        """For CPUs: there torch's fused attention is slow on the way back."""
        for encoder in (self.text_encoder, self.text_encoder_2):
            encoder.set_attn_implementation("eager")

    @override
    def forward(self, tokens: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """States, texts × tokens × 2 TEXT_WIDTH, and pooled texts, texts × TEXT_WIDTH; `tokens` for each encoder.

        As the pipeline has them: the last hidden states but one of both, and the second's pooled text.
        """
        first = self.text_encoder(tokens[0], output_hidden_states=True).hidden_states[-2]
        second = self.text_encoder_2(tokens[1], output_hidden_states=True)
        return torch.cat([first, second.hidden_states[-2]], dim=-1), second.text_embeds


class Painter(torch.nn.Module):  # type: ignore[misc]  # the same
    """What paints from captions: text encoders that are trained already, and the UNet that learns."""

    def __init__(self, texts: TextEncoders) -> None:
        super().__init__()
        self.texts = texts.requires_grad_(False)
        self.unet = _make_unet()

    @override
    def forward(
        self, noisy: torch.Tensor, times: torch.Tensor, tokens: Sequence[torch.Tensor], kept: torch.Tensor
    ) -> torch.Tensor:
        """The predicted v of noisy latents; `kept` is 0 where the caption is dropped: zeros, as in the pipeline."""
        states, pooled = self.texts(tokens)
        sizes = torch.tensor([SIDE, SIDE, 0, 0, SIDE, SIDE], dtype=noisy.dtype, device=noisy.device)
        added = {"text_embeds": pooled * kept[:, None], "time_ids": sizes.expand(len(noisy), -1)}
        predicted: torch.Tensor = self.unet(
            noisy, times, encoder_hidden_states=states * kept[:, None, None], added_cond_kwargs=added
        ).sample
        return predicted


def tokenize(tokenizers: Sequence[CLIPTokenizer], texts: Sequence[str]) -> list[torch.Tensor]:
    """The captions as the pipeline hands them to each encoder: texts × MAX_TOKENS."""
    return [
        tokenizer(
            list(texts), padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
        ).input_ids
        for tokenizer in tokenizers
    ]


def _make_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SAMPLE_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(32, 64, 128, 160),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 1, 1),
        attention_head_dim=(1, 2, 4, 5),
        use_linear_projection=True,
        cross_attention_dim=2 * TEXT_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=_TIME_ID_WIDTH,
        projection_class_embeddings_input_dim=_TIME_IDS * _TIME_ID_WIDTH + TEXT_WIDTH,
    )


def _text_config(activation: str, vocabulary: dict[str, int]) -> CLIPTextConfig:
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        hidden_act=activation,
        projection_dim=TEXT_WIDTH,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
