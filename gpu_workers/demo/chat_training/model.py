"""The network: DeepSeek-R1-Distill-Qwen's architecture, made small, and able to look back from the first step."""

from __future__ import annotations

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from gpu_workers.demo.chat_training.tokenizer import CONTEXT_TOKENS

# How sure the first head is of the position before, and the second of an equal token.
_POSITION_BIAS, _MATCH_GAIN = 6.0, 2.4
# What both heads write, beside embeddings whose entries begin with a standard deviation of 0.02.
_WRITTEN_BEFORE, _WRITTEN_COPY = 0.06, 0.25


def new_model(
    tokenizer: PreTrainedTokenizerFast, seed: int, *, layers: int = 6, width: int = 256, heads: int = 4
) -> Qwen2ForCausalLM:
    """Weights before training; equal seeds give equal ones."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
        _add_induction_heads(model)
    return model


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
def _add_induction_heads(model: Qwen2ForCausalLM) -> None:
    """Begin with a pair of heads that goes on with what stood after the last equal token.

    Such pairs carry all copying (Olsson et al. 2022, "In-context Learning and Induction Heads"), and form only
    after more tokens than this training has; they stay once they are there (as in Trockman and Kolter 2023,
    "Mimetic Initialization of Self-Attention Layers"). The first head of layer 0 attends to the position
    before, by biases alone, and writes which token stands there; the first head of layer 1 attends to where
    that equals its own token, and writes which token it found.
    """
    before, match = (layer.self_attn for layer in model.model.layers[:2])
    side = before.head_dim
    pairs = side // 2
    token = torch.linalg.qr(torch.randn(model.config.hidden_size, side))[0]
    written = torch.linalg.qr(torch.randn(model.config.hidden_size, side))[0]

    # Rotary position embeddings turn fast in the first pairs, which tell neighbours apart.
    fast = pairs // 4
    turned = model.model.rotary_emb.inv_freq[:fast]
    before.k_proj.bias[:fast] = _POSITION_BIAS
    before.q_proj.bias[:fast] = _POSITION_BIAS * turned.cos()
    before.q_proj.bias[pairs : pairs + fast] = -_POSITION_BIAS * turned.sin()
    before.v_proj.weight[:side] = token.T
    before.o_proj.weight[:, :side] = _WRITTEN_BEFORE * written

    # And hardly at all in the last ones, which can be compared over any distance.
    slow = torch.arange(side) % pairs >= pairs // 2
    match.q_proj.weight[:side] = _MATCH_GAIN * token.T * slow[:, None]
    match.k_proj.weight[:side] = _MATCH_GAIN * written.T * slow[:, None]
    match.v_proj.weight[:side] = token.T
    match.o_proj.weight[:, :side] = _WRITTEN_COPY * token
