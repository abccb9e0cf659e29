"""How the next token is chosen: one rule for both roads, the batch and plain `generate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

# Below this, the second best token has no chance that float32 can hold.
COLDEST = 1e-3


class GeneratedToken(NamedTuple):
    """A token and the probability that the model itself, without temperature and cut-offs, gave it.

    The probability is None for a token that was taken from elsewhere.
    """

    id: int
    probability: float | None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose: `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 leave all tokens in."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0

    @property
    def greedy(self) -> bool:
        """Whether chance has no part in it."""
        return self.temperature < COLDEST or self.top_k == 1

    def kept_tokens(self, vocabulary: int) -> int:
        """How many of the best tokens take part: 1 when greedy, all of the vocabulary at most."""
        return 1 if self.greedy else min(self.top_k or vocabulary, vocabulary)


def choose(
    scores: torch.Tensor,
    *,
    temperature: torch.Tensor,
    top_k: torch.Tensor,
    top_p: torch.Tensor,
    width: int,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """Turn scores (float32, [rows, vocabulary]) into scores that `argmax` and `softmax` read the choice from.

    The parameters have one entry a row; `top_k` counts at least 1, and a row with 1 is greedy. Only the
    `width` best tokens are looked at: the caller gives the largest `top_k`, so that nothing is lost and no
    long sort is needed. In the result the chosen token is the largest, and its softmax is the model's own
    probability of it.
    """
    # A model that overflows must not take the whole batch down: `multinomial` ends the process's CUDA for that.
    scores = torch.nan_to_num(scores, nan=torch.finfo(scores.dtype).min)
    best, tokens = torch.topk(scores, width)
    gaps = (best - best[:, :1]) / temperature[:, None]
    probabilities = torch.softmax(gaps.masked_fill(_beyond(top_k, width), -torch.inf), -1)
    # The first token is always in: nothing lies before it.
    mass_before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(mass_before >= top_p[:, None], 0.0)
    column = torch.multinomial(probabilities, 1, generator=generator)
    sampled = tokens.gather(1, column)
    # Not column 0: how `topk` orders equal scores depends on `width`, so on the neighbours in the batch.
    greedy = scores.argmax(-1, keepdim=True)
    return _written_into_scores(scores, torch.where(top_k[:, None] == 1, greedy, sampled))


def _beyond(top_k: torch.Tensor, width: int) -> torch.Tensor:
    return torch.arange(width, device=top_k.device)[None, :] >= top_k[:, None]


def _written_into_scores(scores: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Scores of equal losers and one winner. Below twice the average, its probability cannot be told."""
    vocabulary = scores.shape[-1]
    probability = torch.softmax(scores, -1).gather(1, chosen).clamp(2.0 / vocabulary, 1.0)
    losers = torch.log1p(-probability) - torch.log(torch.tensor(vocabulary - 1.0))
    return losers.expand_as(scores).scatter(1, chosen, probability.log())
