"""A training that can be interrupted anywhere and goes on as if nothing had happened.

What step `n` learns from follows from the seed and `n` alone, so weights, optimizer and step number are the
whole state.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gpu_workers.demo import together

log = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 150.0
_REPORT_STEPS = 50
_LARGEST_GRADIENT = 1.0
_SMALLEST_RATE = 0.02


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast a network learns; `memory` is the decay of the averaged weights."""

    steps: int
    rate: float
    warm_up: int
    memory: float

    def rate_at(self, step: int) -> float:
        """Rises over the warm-up, then falls along a cosine."""
        progress = min(1.0, step / max(1, self.steps))
        falling = _SMALLEST_RATE + (1 - _SMALLEST_RATE) * (1 + math.cos(math.pi * progress)) / 2
        return self.rate * min(1.0, (step + 1) / self.warm_up) * falling


class TrainingRun:
    """A network on its way, with the average of its recent weights, which is what gets exported.

    AdamW teaches it, and Muon those of its weights that are named as `matrices`; convolutions are some too.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        course: Course,
        checkpoint: Path,
        *,
        matrices: Sequence[torch.nn.Parameter] = (),
    ) -> None:
        self._network, self._course, self._checkpoint = network, course, checkpoint
        self._average = AveragedModel(network, multi_avg_fn=_running_mean(course.memory))
        # Muon takes what has two dimensions: it gets another look at the same memory.
        self._matrices = {p: torch.nn.Parameter(_as_matrix(p, p.data)) for p in matrices}
        rest = [p for p in network.parameters() if p not in self._matrices]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, course.rate, betas=(0.9, 0.99), weight_decay=0.01)
        ]
        if matrices:
            self._optimizers.append(
                torch.optim.Muon(
                    self._matrices.values(), course.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
                )
            )
        self.step = 0
        if checkpoint.exists():
            self._load()

    def run(self, loss_of: Callable[[int], torch.Tensor]) -> torch.nn.Module:
        """Take the steps that are left. Returns the averaged network.

        `loss_of` gets the step's number; of several processes each gives the loss of its own part of the batch.
        """
        saved_s, losses = time.monotonic(), list[float]()
        while self.step < self._course.steps:
            losses.append(self._take_step(loss_of))
            if not together.is_first():
                continue
            if self.step % _REPORT_STEPS == 0:
                log.info("%s step %d loss %.4f", self._checkpoint.stem, self.step, fmean(losses))
                losses.clear()
            if time.monotonic() - saved_s > CHECKPOINT_INTERVAL_S:
                self.save()
                saved_s = time.monotonic()
        if together.is_first():
            self.save()
        averaged: torch.nn.Module = self._average.module
        return averaged.eval().requires_grad_(False)

    def save(self) -> None:
        """Write all or nothing: a reader and a restart see the old file until the new one is complete."""
        scratch = self._checkpoint.with_suffix(".part")
        save_file(self._tensors(), scratch, {"step": json.dumps(self.step)})
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.replace(self._checkpoint)

    def _take_step(self, loss_of: Callable[[int], torch.Tensor]) -> float:
        loss = loss_of(self.step)
        loss.backward()
        together.share_gradients(self._network.parameters())
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _LARGEST_GRADIENT)
        for parameter, matrix in self._matrices.items():
            matrix.grad = None if parameter.grad is None else _as_matrix(parameter, parameter.grad)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._course.rate_at(self.step)
            optimizer.step()
        self._network.zero_grad()
        self._average.update_parameters(self._network)
        self.step += 1
        return float(loss.detach())

    def _learnt(self) -> list[tuple[torch.optim.Optimizer, torch.nn.Parameter]]:
        """What each optimizer teaches, in the order by which a checkpoint numbers it."""
        return [
            (optimizer, parameter)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        ]

    def _tensors(self) -> dict[str, torch.Tensor]:
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self._network.state_dict().items()},
            **{f"average.{name}": tensor for name, tensor in self._average.state_dict().items()},
            **{
                f"optimizer.{number}.{name}": tensor
                for number, (optimizer, parameter) in enumerate(self._learnt())
                for name, tensor in optimizer.state[parameter].items()
            },
        }
        # A file has one order of the numbers; a network may have its channels last.
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    def _load(self) -> None:
        tensors = load_file(self._checkpoint)
        with safe_open(self._checkpoint, "pt") as file:
            self.step = json.loads(file.metadata()["step"])
        self._network.load_state_dict(_below("network.", tensors))
        self._average.load_state_dict(_below("average.", tensors))
        learnt = self._learnt()
        for key, tensor in _below("optimizer.", tensors).items():
            number, name = key.split(".")
            optimizer, parameter = learnt[int(number)]
            optimizer.state[parameter][name] = _ordered_as(parameter, tensor)
        log.info("%s goes on from step %d", self._checkpoint.stem, self.step)


def _running_mean(
    memory: float,
) -> Callable[[Sequence[torch.Tensor], Sequence[torch.Tensor], torch.Tensor | int], None]:
    """Of the weights at about the last `1 / (1 - memory)` steps; early on of fewer, to forget the random ones soon."""

    def add(mean: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], steps: torch.Tensor | int) -> None:
        decay = min(memory, (1 + int(steps)) / (10 + int(steps)))
        get_ema_multi_avg_fn(decay)(mean, weights, steps)

    return add


def _as_matrix(parameter: torch.nn.Parameter, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, of the parameter's shape, with a row for each output, in the order of the parameter's memory."""
    channels_last = parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)
    return (tensor.permute(0, 2, 3, 1) if channels_last else tensor).flatten(1)


def _ordered_as(parameter: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers in the order in memory that the parameter has: in another one sums are rounded differently."""
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
