"""How far apart two recordings of a sentence sound: the mel-cepstral distance.

R. Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", IEEE PACRIM 1993. It compares the
smooth shape of the spectra, not their loudness, in decibels. The frames are paired by dynamic time warping, so that
length does not count here; it is a measure of its own.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

WINDOW_S, HOP_S = 0.032, 0.008
# Bands of the spectrum, and how many of its waves are compared: 1 to 13, as usual; 0 is the loudness.
BANDS, CEPSTRA = 40, 13
# Of the loudest band; what is quieter is silence, whatever is in it. And silence itself is not amplified.
_AUDIBLE, _QUIETEST = 1e-3, 1e-4
_DECIBELS = 10 / math.log(10)


def distance(one: Floats, other: Floats, rate: int) -> float:
    """The mel-cepstral distance in dB between two recordings: 0 for the same, about 4 to 7 for good imitations."""
    first, second = mel_cepstra(one, rate), mel_cepstra(other, rate)
    squares = np.square(first[:, None] - second[None]).sum(axis=2)
    return mean_along_best_path(_DECIBELS * np.sqrt(2 * squares))


def mel_cepstra(samples: Floats, rate: int) -> Floats:
    """The cepstral coefficients 1 to 13 of each frame."""
    bands = mel_bands(spectrogram(samples, rate), rate)
    logarithms = np.log(np.maximum(bands, max(_AUDIBLE * float(bands.max()), _QUIETEST)))
    angles = np.pi * np.outer(np.arange(BANDS) + 0.5, np.arange(1, CEPSTRA + 1)) / BANDS
    cepstra: Floats = logarithms @ np.cos(angles) * (2 / BANDS)
    return cepstra


def spectrogram(samples: Floats, rate: int) -> Floats:
    """The magnitude of each frame's frequencies, frames × frequencies."""
    window, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    padded = np.pad(samples, (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(samples) : hop]
    magnitudes: Floats = np.abs(np.fft.rfft(frames * np.hanning(window)))
    return magnitudes


def mel_bands(magnitudes: Floats, rate: int) -> Floats:
    """The mean magnitude in each of the overlapping triangles that lie evenly on the mel scale."""
    highest = _mel(rate / 2)
    edges = 700 * (10 ** (np.linspace(0, highest, BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, magnitudes.shape[1])
    triangles = np.stack(
        [
            np.interp(frequencies, (low, (low + high) / 2, high), (0, 1, 0))
            for (low, _), (_, high) in pairwise(pairwise(edges))
        ],
        axis=1,
    )
    bands: Floats = magnitudes @ (triangles / triangles.sum(axis=0))
    return bands


def mean_along_best_path(costs: Floats) -> float:
    """Of the ways from the first pair to the last without a step back, the mean cost of that with the least sum."""
    best = [(0.0, 0)] + [(math.inf, 0)] * costs.shape[1]
    for row in costs.tolist():
        line = [(math.inf, 0)]
        for column, cost in enumerate(row):
            total, pairs = min(best[column], best[column + 1], line[column])
            line.append((total + cost, pairs + 1))
        best = line
    total, pairs = best[-1]
    return total / pairs


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
