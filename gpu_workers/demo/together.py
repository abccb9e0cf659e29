"""Several processes that train one network: `torchrun --nproc-per-node 2 -m …`.

Each learns from its part of a batch, and with the mean of their gradients all take the same step. Two cores that
compute one network's layers together gain a fifth; with a process each they gain two thirds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def join() -> None:
    """Meet the others that torchrun has started, if it has."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("gloo")


def processes() -> int:
    """How many train together."""
    return int(distributed.get_world_size()) if distributed.is_initialized() else 1


def number() -> int:
    """Which of them this is, from 0 on."""
    return int(distributed.get_rank()) if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this is the one that writes and tells."""
    return number() == 0


def my_part() -> slice:
    """Which of a batch's rows are this process's."""
    return slice(number(), None, processes())


def wait_for_all() -> None:
    """Return when all have come here."""
    if distributed.is_initialized():
        distributed.barrier()


def first_before_others(make: Callable[[], T]) -> T:
    """What `make` gives; where it leaves something on disk, the first process does, and the others find it."""
    if is_first():
        made = make()
        wait_for_all()
        return made
    wait_for_all()
    return make()


def share_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give all processes the mean of their gradients."""
    if processes() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    mean = torch.cat([gradient.flatten() for gradient in gradients]) / processes()
    distributed.all_reduce(mean)
    for gradient, shared in zip(gradients, mean.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(shared.view_as(gradient))
