"""Pictures of speech: on the left the teacher, on the right the pupil, a line for each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gpu_workers.demo.voice_evaluation.cepstra import Floats, spectrogram
from gpu_workers.demo.voice_evaluation.measures import Pair
from gpu_workers.demo.voice_training.teacher import SAMPLE_RATE

SENTENCES = 4
_GAP, _TITLE = 6, 14
# From silence to loud: black, violet, red, yellow, white; 70 dB in all.
_COLOURS = np.array([(0, 0, 0), (70, 10, 100), (200, 50, 60), (250, 180, 40), (255, 255, 240)])
_RANGE_DB = 70.0
# The loudest vowels; a full-scale tone would have 42.
_LOUDEST_DB = 30.0


def write_spectrograms(pairs: Sequence[Pair], file: Path) -> None:
    """Write the first few pairs as one PNG."""
    lines = [(picture(pair.teacher), picture(pair.pupil)) for pair in pairs[:SENTENCES]]
    width = max(half.width for line in lines for half in line)
    height = lines[0][0].height
    sheet = Image.new(
        "RGB", (2 * width + 3 * _GAP, len(lines) * (height + _GAP) + _TITLE + _GAP), (255, 255, 255)
    )
    write = ImageDraw.Draw(sheet).text
    for column, title in enumerate(("teacher: eSpeak NG", "pupil: demo voice")):
        left = _GAP + column * (width + _GAP)
        write((left, 2), title, fill=(0, 0, 0))
        for row, line in enumerate(lines):
            sheet.paste(line[column], (left, _TITLE + _GAP + row * (height + _GAP)))
    file.parent.mkdir(parents=True, exist_ok=True)
    # A palette makes the file a third as large.
    sheet.quantize(64).save(file, optimize=True)


def picture(samples: Floats) -> Image.Image:
    """Time to the right in steps of 8 ms, frequency upwards to half the sample rate, colour for loudness."""
    magnitudes = spectrogram(samples, SAMPLE_RATE).T[::-1]
    decibels = 20 * np.log10(np.maximum(magnitudes, 1e-6))
    brightness = np.clip(1 + (decibels - _LOUDEST_DB) / _RANGE_DB, 0, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(brightness, stops, _COLOURS[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
