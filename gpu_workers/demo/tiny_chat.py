"""A tiny chat model with random weights: all files of a DeepSeek-R1-Distill-Qwen, in 1 MB.

It says nothing sensible, but it loads, streams, batches and stops like its big siblings.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SEED = 20
VOCABULARY_SIZE = 640
CONTEXT_TOKENS = 4096

BOS, EOS, USER, ASSISTANT = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
)
# The library's tokenizer class for this architecture adds this one when it is missing, beyond the vocabulary.
PAD = "<|endoftext|>"
THINK_TAGS = ("<think>", "</think>")

# As DeepSeek-R1's first template: the model opens `<think>` itself, and earlier reasoning is dropped.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% else %}"
    "{{ '<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)

_SENTENCES = (
    "A studio is a room where people make things and show them to others.",
    "The light of the morning falls through the window on the table and the chair.",
    "She reads the letter twice, puts it away and looks at the sea for a while.",
    "Write a short story about a small boat that finds its way home in the dark.",
    "When the rain stops, the street is quiet and every sound comes from far away.",
    "They asked how it works, and he told them that nobody really knows yet.",
    "In the year of the great storm the old bridge was carried down the river.",
    "We paint with words, with colours and with voices, and then we listen.",
    "工作室是人们创作并向他人展示作品的地方。",
    "早晨的阳光透过窗户照在桌子和椅子上。",
    "请写一个关于小船在黑暗中找到回家路的短篇故事。",
    "雨停之后，街道很安静，每个声音都来自远方。",
    "我们用文字、颜色和声音作画，然后倾听。",
)


def build(folder: Path) -> None:
    """Write config, tokenizer and safetensors into the existing `folder`; the same bytes every time."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    model = _model(tokenizer)
    model.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE: any text goes in and comes out unchanged."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[BOS, EOS, USER, ASSISTANT, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_SENTENCES, trainer)
    core.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in THINK_TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def _model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    model = Qwen2ForCausalLM(config)
    _fill(model, tokenizer)
    # What DeepSeek ships with its R1 models.
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.6,
        top_p=0.95,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model.eval()


def _fill(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Weights from a generator of our own: the process's random state stays as it is.

    The spread is wide, or greedy output would be one token for ever. Tokens that are no readable text by
    themselves (single bytes of longer characters, control marks but the end) get zero scores, so that they
    lose against the best of the others.
    """
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                spread = 1.0 / parameter.shape[-1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
        model.model.embed_tokens.weight.mul_(8.0)
        model.lm_head.weight.mul_(4.0)
        model.lm_head.weight[_unreadable(tokenizer)] = 0.0


def _unreadable(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    texts = {index: tokenizer.decode([index]) for index in range(len(tokenizer))}
    return [index for index, text in texts.items() if text != EOS and not _is_readable(text)]


def _is_readable(text: str) -> bool:
    marks = (BOS, USER, ASSISTANT, PAD, *THINK_TAGS)
    return text not in marks and "�" not in text and (text == "\n" or text.isprintable())
