"""From examples to batches: several in a row, each blind to the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedTokenizerFast

from gpu_workers.demo.chat_training.chat_format import completion_text, prompt_text
from gpu_workers.demo.chat_training.examples import Example
from gpu_workers.demo.chat_training.mix import SKILLS_EXAMPLES, training_example

ROWS = 14
# Hardly more than the longest example has: attention costs as much as a row is long.
ROW_TOKENS = 320
# What people write counts less than what the model must write. It teaches to find and to copy; once that is learnt it
# is noise, and more of it than of all the rest.
PROMPT_WEIGHT, LATER_PROMPT_WEIGHT = 0.5, 0.01
_NO_KIND = "padding"


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids [rows, tokens]; for each the weight of predicting it, and which example it belongs to."""

    tokens: torch.Tensor
    weights: torch.Tensor
    owners: torch.Tensor
    kinds: tuple[str, ...]
    next_example: int

    @property
    def mask(self) -> torch.Tensor:
        """Added to the attention scores: 0 within the same example up to here. [rows, 1, tokens, tokens]"""
        same = self.owners[:, :, None] == self.owners[:, None, :]
        return torch.where(same.tril()[:, None], 0.0, torch.finfo(torch.float32).min)

    def part(self, rows: slice) -> Batch:
        """Some of its rows."""
        return replace(self, tokens=self.tokens[rows], weights=self.weights[rows], owners=self.owners[rows])


def make_batch(
    tokenizer: PreTrainedTokenizerFast, seed: int, first: int, rows: int = ROWS, row_tokens: int = ROW_TOKENS
) -> Batch:
    """The batch that begins with example `first`: as many as fit, in order; longer ones are left out."""
    tokens = torch.full((rows, row_tokens), tokenizer.pad_token_id)
    weights = torch.zeros(rows, row_tokens)
    owners = torch.zeros(rows, row_tokens, dtype=torch.long)
    used = [0] * rows
    kinds = [_NO_KIND]
    prompt_weight = PROMPT_WEIGHT if first < SKILLS_EXAMPLES else LATER_PROMPT_WEIGHT
    number = first
    while True:
        example = training_example(seed, number)
        prompt, completion = encoded(tokenizer, example)
        size = len(prompt) + len(completion)
        if size <= row_tokens:
            row = next((row for row in range(rows) if used[row] + size <= row_tokens), None)
            if row is None:
                break
            start = used[row]
            used[row] = end = start + size
            tokens[row, start:end] = torch.tensor(prompt + completion)
            weights[row, start + 1 : end] = prompt_weight
            weights[row, start + len(prompt) : end] = 1.0
            owners[row, start:end] = len(kinds)
            kinds.append(example.kind)
        number += 1
    return Batch(tokens, weights, owners, tuple(kinds), number)


def encoded(tokenizer: PreTrainedTokenizerFast, example: Example) -> tuple[list[int], list[int]]:
    """The tokens of the prompt and of what should follow."""
    prompt = tokenizer.encode(prompt_text(example), add_special_tokens=False)
    return prompt, tokenizer.encode(completion_text(example), add_special_tokens=False)
