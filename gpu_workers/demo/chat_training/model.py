"""The network: DeepSeek-R1-Distill-Qwen's architecture, made small."""

from __future__ import annotations

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from gpu_workers.demo.chat_training.tokenizer import CONTEXT_TOKENS


def new_model(
    tokenizer: PreTrainedTokenizerFast, seed: int, *, layers: int = 6, width: int = 256, heads: int = 8
) -> Qwen2ForCausalLM:
    """Untrained weights; equal seeds give equal ones."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)
