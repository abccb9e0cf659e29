"""Two processes of one training, as torchrun would start them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def together(folder: Path, train: Callable[[Path], Any]) -> None:
    """Call `train(folder)`, a function of a module, in two processes that know of each other."""
    torch.multiprocessing.spawn(_take_part, (folder, train), nprocs=2)


def _take_part(rank: int, folder: Path, train: Callable[[Path], Any]) -> None:
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    train(folder)
    torch.distributed.destroy_process_group()
