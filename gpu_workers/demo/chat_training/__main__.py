"""Trains the demo chat model: `python -m gpu_workers.demo.chat_training --state DIR --out DIR`.

Goes on from what lies in the state's folder, after any interruption. `--steps 0` only exports what is there.
Started by `torchrun --nproc-per-node 2 -m …`, two processes share the work.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

import torch

from gpu_workers.demo import together
from gpu_workers.demo.chat_training.export import export
from gpu_workers.demo.chat_training.train import Plan, Training

# About four hours of one core, two and a half of two.
STEPS = 9_400


def main() -> None:
    """Read the command line, train, export."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, required=True, help="folder of the training's state")
    parser.add_argument("--out", type=Path, help="folder for the finished model")
    parser.add_argument("--seed", type=int, default=Plan(0).seed)
    parser.add_argument("--steps", type=int, default=STEPS, help="all steps, with those that are done")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-every-s", type=float, default=120)
    parser.add_argument("--sample-every-s", type=float, default=900)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    together.join()
    plan, compiled = Plan(options.steps, options.seed), bool(shutil.which("g++"))
    training = together.first_before_others(lambda: Training(options.state, plan, compiled=compiled))
    training.run(save_every_s=options.save_every_s, sample_every_s=options.sample_every_s)
    if options.out and together.is_first():
        export(training, options.out)


if __name__ == "__main__":
    main()
