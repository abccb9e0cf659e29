"""Answers of a model in training: many at once, greedy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2ForCausalLM

from gpu_workers.demo.chat_training import (
    arithmetic,
    conversations,
    copying,
    everything_else,
    passages,
    small_jobs,
)
from gpu_workers.demo.chat_training.chat_format import EOS, THINK_CLOSE, prompt_text
from gpu_workers.demo.chat_training.examples import Example, Generator
from gpu_workers.demo.chat_training.mix import evaluation_examples
from gpu_workers.demo.chat_training.topics import product_questions

log = logging.getLogger(__name__)

MAX_TOKENS = 300
AT_ONCE = 32
_SAMPLED: tuple[Generator, ...] = (
    arithmetic.sums,
    product_questions,
    passages.found,
    passages.not_found,
    conversations.recalled,
    everything_else.unknown_things,
    small_jobs.titles,
    copying.short_lists,
)
_SAMPLES_EACH = 10


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote: its reasoning, its answer, how many tokens, whether it ended by itself."""

    reasoning: str
    answer: str
    tokens: int
    ended: bool
    closed: bool


def reply_of(text: str, tokens: int) -> Reply:
    """Take apart what was written, which may end in the mark of the end."""
    ended = text.endswith(EOS)
    reasoning, tag, answer = text.removesuffix(EOS).partition(THINK_CLOSE)
    return Reply(reasoning.strip(), answer.strip(), tokens, ended, bool(tag))


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
def replies(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]
) -> list[Reply]:
    """Greedy replies, in the order of the examples; those of like length are made together."""
    order = sorted(range(len(examples)), key=lambda index: len(prompt_text(examples[index])))
    found: dict[int, Reply] = {}
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        texts = [prompt_text(examples[index]) for index in some]
        found.update(zip(some, _batch(model, tokenizer, texts), strict=True))
    return [found[index] for index in range(len(examples))]


def _batch(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> list[Reply]:
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    inputs = tokenizer(
        prompts, padding=True, padding_side="left", add_special_tokens=False, return_tensors="pt"
    )
    config = GenerationConfig(do_sample=False, max_new_tokens=MAX_TOKENS, eos_token_id=end, pad_token_id=pad)
    written = model.generate(inputs.input_ids, attention_mask=inputs.attention_mask, generation_config=config)
    made = []
    for row in written[:, inputs.input_ids.shape[1] :].tolist():
        tokens = row[: row.index(end) + 1] if end in row else row
        made.append(reply_of(tokenizer.decode(tokens), len(tokens)))
    return made


def log_samples(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write some held-out answers and how many are word for word as they should be."""
    model.eval()
    for generator in _SAMPLED:
        examples = list(evaluation_examples(generator, _SAMPLES_EACH, seed=1))
        made = replies(model, tokenizer, examples)
        right = sum(reply.answer == example.answer for reply, example in zip(made, examples, strict=True))
        wrong = [pair for pair in zip(examples, made, strict=True) if pair[0].answer != pair[1].answer]
        log.info(
            "held out: %s.%s %d of %d",
            generator.__module__.split(".")[-1],
            generator.__name__,
            right,
            _SAMPLES_EACH,
        )
        for example, reply in wrong[:1]:
            log.info(
                "  %r\n    wanted %r\n    got %r",
                example.turns[-1].content,
                example.reasoning + " | " + example.answer,
                reply.reasoning + " | " + reply.answer,
            )
    model.train()
