"""A tiny VITS voice with random weights: the TTS package's own config and checkpoint files, in 2 MB.

It murmurs, but it loads, speaks sentence by sentence, obeys speed and stops like its big siblings. It knows the Latin
letters and the 3,755 most common Chinese characters.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from gpu_workers.engines import vits_phonemes
from gpu_workers.engines.torchaudio_import import torchaudio as _torchaudio  # noqa: F401  before TTS, which needs it

# isort: split
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits

SEED = 20
SAMPLE_RATE = 16_000
HOP_LENGTH = 256
FRAMES_PER_TOKEN = 3
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿß"
PUNCTUATION = "!'(),-.:;? \"、。，！？；：“”‘’（）《》…—"
PHONEMES = (
    "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞ᵻ"
)


def build(folder: Path) -> None:
    """Write config.json and model.pth into the existing `folder`."""
    save(config(), folder)


def config(arguments: dict[str, Any] | None = None, **changes: Any) -> VitsConfig:
    """The config of the tiny voice, with other model arguments or config fields where a test wants them."""
    return VitsConfig(
        model_args=VitsArgs(**{**_ARGUMENTS, **(arguments or {})}),
        audio=BaseAudioConfig(
            sample_rate=SAMPLE_RATE,
            fft_size=256,
            win_length=256,
            hop_length=HOP_LENGTH,
            num_mels=20,
            mel_fmin=0,
            mel_fmax=None,
        ),
        characters=CharactersConfig(
            characters_class="TTS.tts.models.vits.VitsCharacters",
            pad="_",
            blank="<BLNK>",
            characters=LATIN + _common_chinese(),
            punctuations=PUNCTUATION,
            phonemes=PHONEMES,
        ),
        **{"text_cleaner": "no_cleaners", "use_phonemes": False, "add_blank": True, **changes},
    )


def save(voice: VitsConfig, folder: Path) -> None:
    """Make a network of the config with random weights and write both as the TTS package does."""
    # Before the network is made: making it fills in what the config leaves open.
    voice.save_json(folder / "config.json")
    if voice.use_phonemes:
        vits_phonemes.register()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Vits(voice)
    with torch.no_grad():
        # Speech at about the speed of speech, whatever the text.
        if not voice.model_args.use_sdp:
            network.duration_predictor.proj.weight.mul_(0.1)
            network.duration_predictor.proj.bias.fill_(math.log(FRAMES_PER_TOKEN) - 0.5)
    torch.save({"model": network.state_dict(), "step": 0, "epoch": 0}, folder / "model.pth")


_ARGUMENTS: dict[str, Any] = {
    "out_channels": 129,
    "hidden_channels": 32,
    "hidden_channels_ffn_text_encoder": 64,
    "num_layers_text_encoder": 2,
    "num_layers_posterior_encoder": 1,
    "num_layers_flow": 2,
    "resblock_type_decoder": "2",
    "resblock_kernel_sizes_decoder": [3, 5],
    "resblock_dilation_sizes_decoder": [[1, 2], [2, 6]],
    "upsample_rates_decoder": [8, 8, 4],
    "upsample_kernel_sizes_decoder": [16, 16, 8],
    "upsample_initial_channel_decoder": 64,
    # The stochastic predictor alone has 6 MB.
    "use_sdp": False,
    "init_discriminator": False,
}


def _common_chinese() -> str:
    """The first level of GB 2312, which is ordered by use: 3,755 characters."""
    rows = (bytes((row, column)) for row in range(0xB0, 0xD8) for column in range(0xA1, 0xFF))
    return "".join(pair.decode("gb2312", "ignore") for pair in rows)
