"""The training: steps, checkpoints that survive a kill, and a log that says how each kind of question fares."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from gpu_workers.demo import together
from gpu_workers.demo.chat_training.model import new_model
from gpu_workers.demo.chat_training.packing import ROW_TOKENS, ROWS, Batch, make_batch
from gpu_workers.demo.chat_training.sampling import log_samples
from gpu_workers.demo.chat_training.tokenizer import SAMPLE_EXAMPLES, train_tokenizer

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
TOKENIZER = "tokenizer"
MUON_RATE, ADAM_RATE = 0.01, 0.0015
WARM_UP_STEPS = 50
# The exported weights are a running mean over about this many steps, which serves as a decay at any time.
AVERAGED_STEPS = 300
GRADIENT_NORM = 1.0
LOG_EVERY_STEPS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training is; with equal plans two trainings give equal weights."""

    steps: int
    seed: int = 20
    layers: int = 6
    width: int = 256
    heads: int = 4
    rows: int = ROWS
    row_tokens: int = ROW_TOKENS
    tokenizer_sample: int = SAMPLE_EXAMPLES


class Training:
    """A training at some step, in a folder that it can be picked up from."""

    def __init__(self, folder: Path, plan: Plan, *, compiled: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / CHECKPOINT
        self.plan = plan
        self.tokenizer = _tokenizer(folder, plan)
        shape = {"layers": plan.layers, "width": plan.width, "heads": plan.heads}
        self.model = new_model(self.tokenizer, plan.seed, **shape)
        self.averaged = new_model(self.tokenizer, plan.seed, **shape)
        # Torch's fused attention is slow on CPUs: a third of a step.
        self.model.set_attn_implementation("eager")
        self._optimizers = _optimizers(self.model)
        # Two thirds more tokens a second, after some minutes of compiling.
        self._forward = torch.compile(self.model) if compiled else self.model
        self.step = 0
        self.next_example = 0
        self.tokens = 0
        if self._file.exists():
            self._restore(torch.load(self._file, weights_only=True))

    def run(self, *, save_every_s: float, sample_every_s: float) -> None:
        """Train to the plan's last step."""
        watch = _Watch(self.tokens)
        saved_s = sampled_s = time.monotonic()
        while self.step < self.plan.steps:
            batch = self._train_on_next()
            watch.add(batch)
            if not together.is_first():
                continue
            if self.step % LOG_EVERY_STEPS == 0:
                log.info(
                    "step %d  %.2f M tokens  %s", self.step, self.tokens / 1e6, watch.report(self.tokens)
                )
            if time.monotonic() - saved_s >= save_every_s:
                self.save()
                saved_s = time.monotonic()
            if time.monotonic() - sampled_s >= sample_every_s:
                log_samples(self.averaged, self.tokenizer)
                sampled_s = time.monotonic()
        if together.is_first():
            self.save()

    def save(self) -> None:
        """Write beside the last checkpoint and rename: a kill leaves one of the two whole."""
        state = {
            "seed": self.plan.seed,
            "step": self.step,
            "next_example": self.next_example,
            "tokens": self.tokens,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        fresh = self._file.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self._file)

    def _restore(self, state: dict[str, Any]) -> None:
        if state["seed"] != self.plan.seed:
            raise ValueError(f"{self._file} was trained with seed {state['seed']}, not {self.plan.seed}")
        self.step, self.next_example, self.tokens = state["step"], state["next_example"], state["tokens"]
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            rates = [group["initial_lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(kept)
            # Ours, also where the state was made at others.
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate
        log.info("going on at step %d after %.2f M tokens", self.step, self.tokens / 1e6)

    def _train_on_next(self) -> _Losses:
        plan = self.plan
        whole = make_batch(self.tokenizer, plan.seed, self.next_example, plan.rows, plan.row_tokens)
        batch = whole.part(together.my_part())
        losses = _losses(self._forward, batch)
        mean_weight = whole.weights[:, 1:].sum() / together.processes()
        ((losses * batch.weights[:, 1:]).sum() / mean_weight).backward()
        together.share_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)
        factor = rate_factor(self.step, plan.steps)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.next_example = whole.next_example
        self.tokens += int((whole.owners > 0).sum())
        self._average()
        return _Losses(losses.detach(), batch)

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
    def _average(self) -> None:
        kept = min(1 - 1 / AVERAGED_STEPS, self.step / (self.step + 10))
        for mean, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(now, 1 - kept)


def rate_factor(step: int, steps: int) -> float:
    """Up, and from there down to nothing at the end.

    Batches are small: at a rate that stays, what one step teaches the next ones shake out again.
    """
    return min((step + 1) / min(WARM_UP_STEPS, steps / 10), 1.0) * (1 - step / steps)


@dataclass(frozen=True, slots=True)
class _Losses:
    """The loss of each token of a batch."""

    values: Tensor
    batch: Batch


class _Watch:
    """Collects losses of what the model must write, by kind, and the speed; `tokens` are all that were seen."""

    def __init__(self, tokens: int) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._tokens = tokens
        self._since_s = time.monotonic()

    def add(self, losses: _Losses) -> None:
        """Count one step."""
        owners = losses.batch.owners[:, 1:]
        written = losses.batch.weights[:, 1:] == 1.0
        for number, kind in enumerate(losses.batch.kinds):
            mine = written & (owners == number)
            if count := int(mine.sum()):
                self._sums[kind] += float(losses.values[mine].sum())
                self._counts[kind] += count

    def report(self, tokens: int) -> str:
        """Speed and mean losses since the last report."""
        speed = (tokens - self._tokens) / (time.monotonic() - self._since_s)
        means = (f"{kind} {self._sums[kind] / self._counts[kind]:.3f}" for kind in sorted(self._sums))
        text = f"{speed:.0f} tokens/s  {'  '.join(means)}"
        self.__init__(tokens)  # type: ignore[misc]
        return text


def _losses(model: Callable[..., Any], batch: Batch) -> Tensor:
    """Cross-entropy of each token after the first, [rows, tokens - 1]."""
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(input_ids=batch.tokens, attention_mask=batch.mask, use_cache=False).logits
    targets = batch.tokens[:, 1:]
    return cross_entropy(scores[:, :-1].float().transpose(1, 2), targets, reduction="none")


def _optimizers(model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices within the layers, AdamW for embeddings, norms and biases."""
    inner = [p for p in model.model.layers.parameters() if p.dim() == 2]
    chosen = {id(p) for p in inner}
    rest: Iterable[torch.nn.Parameter] = [p for p in model.parameters() if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(inner, lr=MUON_RATE, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def _tokenizer(folder: Path, plan: Plan) -> PreTrainedTokenizerFast:
    """The one in the folder, else a new one."""
    kept = folder / TOKENIZER
    if not (kept / "tokenizer.json").exists():
        train_tokenizer(plan.seed, plan.tokenizer_sample).save_pretrained(kept)
    return PreTrainedTokenizerFast.from_pretrained(kept)
