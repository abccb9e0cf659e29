"""The critic of the second part of the training: small, for it only has to know one artificial voice.

Built like the multi-period discriminator of HiFi-GAN (the package's own is forty times as large), with period 1
in place of its second kind.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (1, 2, 3, 5)
_WIDTHS = (1, 16, 32, 64, 128)
_KERNEL, _STRIDE, _SLOPE = 5, 3, 0.1


class Opinion(NamedTuple):
    """Of each period: how real each place sounds (1 is real, 0 made), and the features that led there."""

    scores: list[torch.Tensor]
    features: list[list[torch.Tensor]]


class Critic(torch.nn.Module):  # type: ignore[misc]  # torch's own types are not read
    """Hears waves [n, 1, samples]."""

    def __init__(self) -> None:
        super().__init__()
        self.periods = torch.nn.ModuleList(_Period(period) for period in PERIODS)

    def forward(self, waves: torch.Tensor) -> Opinion:
        """Its opinion of them."""
        heard = [period(waves) for period in self.periods]
        return Opinion([features[-1].flatten(1) for features in heard], heard)


class _Period(torch.nn.Module):  # type: ignore[misc]  # torch's own types are not read
    """Looks at every n-th sample, so at what repeats itself after n."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self._period = period
        self.layers = torch.nn.ModuleList(
            weight_norm(torch.nn.Conv2d(into, out, (_KERNEL, 1), (_STRIDE, 1), (_KERNEL // 2, 0)))
            for into, out in pairwise(_WIDTHS)
        )
        self.last = weight_norm(torch.nn.Conv2d(_WIDTHS[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waves: torch.Tensor) -> list[torch.Tensor]:
        """The features of each layer; the last are the scores."""
        missing = -waves.shape[-1] % self._period
        hidden = pad(waves, (0, missing), "reflect").unflatten(-1, (-1, self._period))
        features = []
        for layer in self.layers:
            hidden = leaky_relu(layer(hidden), _SLOPE)
            features.append(hidden)
        return [*features, self.last(hidden)]
