"""The network: DeepSeek-R1-Distill-Qwen's architecture, made small, and able to look back from the first step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

from gpu_workers.demo.chat_training.tokenizer import CONTEXT_TOKENS


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a head of the first layer looks, by position alone.

    `pairs` are the shares of the rotary embedding that tell it: the first turn fast and tell neighbours apart, later
    ones see a neighbourhood as one. `back` is the middle, in tokens; `bias` is how surely.
    """

    pairs: tuple[float, float]
    back: int
    bias: float


_FAST, _WIDE = (0, 1 / 4), (3 / 16, 7 / 16)
_LOOKS = (_Look(_FAST, 1, 6.0), _Look(_FAST, 2, 6.0), _Look(_FAST, 3, 6.0), _Look(_WIDE, 6, 2.5))
# What makes another place like this one, for each head of the second layer: (what stands here, what stands there,
# how much it counts). HERE is the token itself, a number is what that head of the first layer saw.
_HERE = -1
_SAME_TOKENS = ((_HERE, 0, 2.4), (0, 1, 2.4), (1, 2, 2.4))
_SAME_PLACE = ((_HERE, 0, 2.4), (0, 1, 1.7), (3, 3, 2.9))
_MATCHES = (_SAME_TOKENS, _SAME_PLACE, _SAME_TOKENS)
# Embeddings begin with a standard deviation of 0.02; beside what the first layer writes they are this much smaller.
_WRITTEN, _EMBEDDING_GAIN = 0.06, 3.0
# What the second layer writes of the token that it found.
_COPIED = (0.25, 0.12, 0.12)


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
    """Begin with heads that go on with what stood after the last place like this one.

    Such pairs of heads carry all copying (Olsson et al. 2022, "In-context Learning and Induction Heads"), and form
    only after more tokens than this training has; they stay once they are there (as in Trockman and Kolter 2023,
    "Mimetic Initialization of Self-Attention Layers"). The heads of layer 0 write which tokens stood one, two and three
    positions before, and which stood around there; those of layer 1 attend to where this is as it is here, and write
    which token they found. A single token is too little to go by: numbers and made-up words are spelled in few
    pieces, and passages say the same of several things.
    """
    before, match = (layer.self_attn for layer in model.model.layers[:2])
    width, side = model.config.hidden_size, before.head_dim
    looks = _LOOKS[: model.config.num_attention_heads]
    token, *places = torch.linalg.qr(torch.randn(width, width))[0].split(
        [side, *[(width - side) // len(looks)] * len(looks)], dim=1
    )
    readers = {_HERE: _EMBEDDING_GAIN * token.T}
    for head, (look, place) in enumerate(zip(looks, places, strict=True)):
        _look_back(before, head, look, model.model.rotary_emb.inv_freq)
        own = slice(head * side, (head + 1) * side)
        mixed = torch.linalg.qr(torch.randn(side, side))[0][:, : place.shape[1]]
        before.v_proj.weight[own] = token.T
        before.o_proj.weight[:, own] = _WRITTEN * place @ mixed.T
        readers[head] = mixed @ place.T

    # The last pairs hardly turn: they can be compared over any distance.
    slow = torch.arange(side) % (side // 2) >= side // 4
    for head, (terms, copied) in enumerate(zip(_MATCHES[: len(looks)], _COPIED, strict=False)):
        own = slice(head * side, (head + 1) * side)
        here, there = torch.zeros(side, width), torch.zeros(side, width)
        for at_query, at_key, gain in terms:
            if max(at_query, at_key) < len(looks):
                shared = torch.randn(int(slow.sum()), side) * side**-0.5
                here[slow] += gain * shared @ readers[at_query]
                there[slow] += gain * shared @ readers[at_key]
        match.q_proj.weight[own], match.k_proj.weight[own] = here, there
        match.v_proj.weight[own] = token.T
        match.o_proj.weight[:, own] = copied * token


def _look_back(attention: Qwen2Attention, head: int, look: _Look, frequencies: Tensor) -> None:
    """Biases of query and key whose product, turned by the distance, is largest at `look.back`."""
    pairs = attention.head_dim // 2
    first, last = (round(share * pairs) for share in look.pairs)
    angle = look.back * frequencies[first:last]
    start = head * attention.head_dim
    attention.k_proj.bias[start + first : start + last] = look.bias
    attention.q_proj.bias[start + first : start + last] = look.bias * angle.cos()
    attention.q_proj.bias[start + pairs + first : start + pairs + last] = -look.bias * angle.sin()
