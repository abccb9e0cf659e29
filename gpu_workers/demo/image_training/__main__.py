"""`python -m gpu_workers.demo.image_training --state DIR --out DIR`; started again, it goes on.

Started by `torchrun --nproc-per-node 2 -m …`, two processes share the work.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from pathlib import Path

import torch

from gpu_workers.demo import together
from gpu_workers.demo.image_training.export import export
from gpu_workers.demo.image_training.latent_pool import make_pool
from gpu_workers.demo.image_training.painter_training import train_painter
from gpu_workers.demo.image_training.text_training import train_texts
from gpu_workers.demo.image_training.tokens import learn_tokens
from gpu_workers.demo.image_training.vae_training import train_decoder, train_vae
from gpu_workers.engines.device import pick_device

log = logging.getLogger(__name__)


def build(
    *,
    state: Path,
    out: Path,
    seed: int,
    vae_steps: int,
    text_steps: int,
    scenes: int,
    steps: int,
    decoder_steps: int,
    device: str = "cpu",
    compiled: bool = False,
) -> None:
    """Take the steps that the state on disk does not have yet, and write the pipeline."""
    state.mkdir(parents=True, exist_ok=True)
    tokens = learn_tokens()
    vae = train_vae(state, seed=seed, steps=vae_steps, device=device)
    pool = make_pool(vae, state / f"latents-{vae_steps}", seed=seed, scenes=scenes)
    texts = train_texts(state, tokens, seed=seed, steps=text_steps, device=device)
    painter = train_painter(
        state, texts, pool, tokens, seed=seed, steps=steps, device=device, compiled=compiled
    )
    vae = train_decoder(state, vae, seed=seed, steps=decoder_steps, device=device)
    if together.is_first():
        log.info("wrote %s, %d bytes", out, export(out, vae, painter, tokens))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("data/demo-training/image"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20240718)
    parser.add_argument("--vae-steps", type=int, default=4000)
    parser.add_argument("--text-steps", type=int, default=800)
    parser.add_argument("--scenes", type=int, default=32768)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--decoder-steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    together.join()
    build(
        state=arguments.state,
        out=arguments.out,
        seed=arguments.seed,
        vae_steps=arguments.vae_steps,
        text_steps=arguments.text_steps,
        scenes=arguments.scenes,
        steps=arguments.steps,
        decoder_steps=arguments.decoder_steps,
        device=pick_device(),
        compiled=bool(shutil.which("g++")),
    )


if __name__ == "__main__":
    main()
