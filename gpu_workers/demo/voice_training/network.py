"""The small VITS: config, network, and the tokens of a sentence as the engine reads them."""

from __future__ import annotations

from typing import Any

import torch
from typing_extensions import override

from gpu_workers.demo.tiny_voice import PHONEMES, PUNCTUATION
from gpu_workers.demo.voice_training.sentences import Sentence
from gpu_workers.demo.voice_training.teacher import LANGUAGES, SAMPLE_RATE
from gpu_workers.engines import vits_phonemes
from gpu_workers.engines.sentences import Span
from gpu_workers.engines.vits_model import VitsModel

# isort: split
from TTS.config.shared_configs import BaseAudioConfig, BaseDatasetConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits, maximum_path

FFT, HOP, MELS = 1024, 256, 80
# What is decoded of each sentence in a step, in spectrogram frames: half a second.
SEGMENT = 32
# The price of a frame that is out of step with an even speed, in nats: a tenth of the sentence costs 10. A wrong
# phoneme costs more as soon as the network knows phonemes.
EVEN_SPEED = 1000.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Digits are the tones of Chinese; then the marks under dental and syllabic letters.
TONES_AND_MARKS = "0123456789\u032a\u0329"


def config() -> VitsConfig:
    """One model for both languages: phonemes by eSpeak NG, 4.3 million weights."""
    return VitsConfig(
        model_args=VitsArgs(**_ARGUMENTS),
        audio=BaseAudioConfig(
            sample_rate=SAMPLE_RATE,
            fft_size=FFT,
            win_length=FFT,
            hop_length=HOP,
            num_mels=MELS,
            mel_fmin=0,
            mel_fmax=None,
        ),
        characters=CharactersConfig(
            characters_class="TTS.tts.models.vits.VitsCharacters",
            pad="_",
            blank="<BLNK>",
            characters=LETTERS + TONES_AND_MARKS,
            punctuations=PUNCTUATION,
            phonemes=PHONEMES,
        ),
        datasets=[
            BaseDatasetConfig(language=language, phonemizer="espeak") for language in LANGUAGES.values()
        ],
        languages=list(LANGUAGES.values()),
        phonemizer="multi_phonemizer",
        use_phonemes=True,
        text_cleaner="no_cleaners",
        # A phoneme has three or four frames, and each token takes at least one: none is left for blanks.
        add_blank=False,
    )


class TrainedVits(Vits):  # type: ignore[misc]  # the package ships no types
    """The package's network with another way to learn durations; what it says is the same."""

    @override
    def forward_mas(
        self,
        outputs: dict[str, Any],
        z_p: torch.Tensor,
        m_p: torch.Tensor,
        logs_p: torch.Tensor,
        x: torch.Tensor,
        x_mask: torch.Tensor,
        y_mask: torch.Tensor,
        g: torch.Tensor | None,
        lang_emb: torch.Tensor,
    ) -> tuple[dict[str, Any], torch.Tensor]:
        """Find which frames belong to which token, and compare the predicted durations with what was found.

        Half a frame is taken off each duration: the package rounds predicted ones up, and speech would get longer
        by as much at each token.
        """
        # In full precision: half of it would blur the borders.
        with torch.autocast(x.device.type, enabled=False):
            path = find_path(z_p.float(), m_p.float(), logs_p.float(), x_mask, y_mask)
            found = (path.sum(2) - 0.5).clamp_min(0.5).log()[:, None]
            predicted = self.duration_predictor(
                x.float().detach(), x_mask, g=g, lang_emb=lang_emb.float().detach()
            )
            mistake = (predicted - found) * x_mask
        outputs["loss_duration"] = mistake.square().sum() / x_mask.sum()
        return outputs, path[:, None]


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
def find_path(
    frames: torch.Tensor,
    means: torch.Tensor,
    log_scales: torch.Tensor,
    token_mask: torch.Tensor,
    frame_mask: torch.Tensor,
) -> torch.Tensor:
    """The likeliest way through tokens and frames, [n, tokens, frames] of 0 and 1: no token is left out.

    Means and scales of the tokens are [n, channels, tokens]. The package's search, but with a liking for even
    speed: without it the few thousand steps on a CPU would hardly be enough to find the first way.
    """
    precision = torch.exp(-2 * log_scales)
    likelihood = precision.mT @ (-0.5 * frames**2) + (means * precision).mT @ frames
    likelihood -= (0.5 * means**2 * precision + log_scales).sum(1)[:, :, None]
    uneven = _progress(token_mask).mT - _progress(frame_mask)
    path: torch.Tensor = maximum_path(likelihood - EVEN_SPEED * uneven**2, token_mask.mT * frame_mask)
    return path


def _progress(mask: torch.Tensor) -> torch.Tensor:
    """How far along each place is, from 0 to 1."""
    return (mask.cumsum(-1) - 0.5) / mask.sum(-1, keepdim=True)


def make_voice() -> TrainedVits:
    """The network with random weights."""
    vits_phonemes.register()
    return TrainedVits(config())


class Reader:
    """Turns sentences into the ids that the engine would feed the network."""

    def __init__(self, voice: Vits) -> None:
        self._model = VitsModel(
            name="demo-voice",
            network=voice,
            device="cpu",
            rate=SAMPLE_RATE,
            speakers={},
            languages=tuple(LANGUAGES.values()),
            characters=frozenset(voice.tokenizer.characters.vocab),
        )

    def read(self, sentence: Sentence) -> list[int]:
        """The ids of its phonemes and marks."""
        spoken = self._model.tokens([Span(sentence.text)], LANGUAGES[sentence.language])
        return [token.id for token in spoken]


_ARGUMENTS: dict[str, Any] = {
    "out_channels": FFT // 2 + 1,
    "spec_segment_size": SEGMENT,
    "hidden_channels": 96,
    "hidden_channels_ffn_text_encoder": 384,
    "num_layers_text_encoder": 4,
    "num_layers_posterior_encoder": 6,
    "num_layers_flow": 3,
    # The third and fastest generator of the HiFi-GAN paper, a quarter narrower.
    "resblock_type_decoder": "2",
    "resblock_kernel_sizes_decoder": [3, 5, 7],
    "resblock_dilation_sizes_decoder": [[1, 2], [2, 6], [3, 12]],
    "upsample_rates_decoder": [8, 8, 4],
    "upsample_kernel_sizes_decoder": [16, 16, 8],
    "upsample_initial_channel_decoder": 192,
    "use_language_embedding": True,
    # The teacher always speaks the same way, and so does the pupil: no drawn durations, little noise.
    "use_sdp": False,
    "dropout_p_duration_predictor": 0.1,
    "inference_noise_scale": 0.3,
    "init_discriminator": False,
}
