"""The finished model as a folder that any loader of transformers takes."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path

import torch
from transformers import GenerationConfig

from gpu_workers.demo.chat_training.train import Training


def export(training: Training, folder: Path) -> None:
    """Write config, tokenizer, generation config and weights in half precision; replaces the folder."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    tokenizer = training.tokenizer
    tokenizer.save_pretrained(fresh)
    model = deepcopy(training.averaged).half()
    model.config.dtype = torch.float16
    # A small model that samples slips; low, or its sums and copies would be wrong now and then.
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.1,
        top_p=0.9,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
