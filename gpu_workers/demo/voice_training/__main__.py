"""`python -m gpu_workers.demo.voice_training --state DIR --out DIR`; started again, it goes on."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from gpu_workers.demo.voice_training.export import export
from gpu_workers.demo.voice_training.network import Reader, make_voice
from gpu_workers.demo.voice_training.speech_pool import make_pool
from gpu_workers.demo.voice_training.speed import fitted_length_scale
from gpu_workers.demo.voice_training.training import Pupil, train_voice
from gpu_workers.engines.device import pick_device

log = logging.getLogger(__name__)


def build(*, state: Path, out: Path, seed: int, sentences: int, steps: int, device: str = "cpu") -> None:
    """Take the steps that the state on disk does not have yet, and write the voice."""
    state.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    pupil = Pupil(make_voice())
    pool = make_pool(Reader(pupil.voice), state / f"speech-{seed}", seed=seed, sentences=sentences)
    trained = train_voice(state, pupil.to(device), pool, seed=seed, steps=steps, device=device)
    scale = fitted_length_scale(trained.voice, pool)
    size = export(out, trained.voice, steps=steps, length_scale=scale)
    log.info("wrote %s, %d bytes, length scale %g", out, size, scale)


def main() -> None:
    """Read the command line, train, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("data/demo-training/voice"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20240719)
    parser.add_argument("--sentences", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=20000, help="all steps, with those that are done")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    build(
        state=arguments.state,
        out=arguments.out,
        seed=arguments.seed,
        sentences=arguments.sentences,
        steps=arguments.steps,
        device=pick_device(),
    )


if __name__ == "__main__":
    main()
