"""The tokenizer of both text encoders: CLIP's byte pairs, learned from the captions."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from random import Random

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

from gpu_workers.demo.image_training.captions import full_caption
from gpu_workers.demo.image_training.scenes import training_scene

MAX_TOKENS = 48
START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
# Token 0, with which SDXL pads its second text encoder.
FIRST = "!"

_CAPTIONS = 6000
_ENGLISH = re.compile(r"[a-z]+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_PARTS = (("tokenizer", END), ("tokenizer_2", FIRST))
Merges = list[tuple[str, str]]


def learn_tokens() -> tuple[dict[str, int], Merges]:
    """The vocabulary and merges: a token for each word and each Chinese character of the captions.

    Characters stay single: CLIP takes a run of them for one word, and a piece of several would hide the
    colour that it names from a caption which puts it beside another.
    """
    texts = [
        full_caption(training_scene(0, number), Random(number), ("en", "zh")[number % 2])
        for number in range(_CAPTIONS)
    ]
    characters = sorted({character for text in texts for character in _CHINESE.findall(text)})
    words = Counter(word for text in texts for word in _ENGLISH.findall(text.lower()))
    merges = [pair for character in characters for pair in _character_merges(character)]
    merges = list(dict.fromkeys([*merges, *_word_merges(words)]))
    alphabet = sorted(ByteLevel.alphabet())
    pieces = [*alphabet, *(byte + WORD_END for byte in alphabet), *map("".join, merges), START, END]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}, merges


def save_tokenizers(folder: Path, vocabulary: dict[str, int], merges: Merges) -> None:
    """Write `tokenizer` and `tokenizer_2` into the pipeline's folder, in the files of the published SDXL."""
    for name, padding in _PARTS:
        part = folder / name
        part.mkdir(parents=True, exist_ok=True)
        special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": padding}
        config = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": MAX_TOKENS,
            "do_lower_case": True,
            **special,
        }
        (part / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
        (part / "special_tokens_map.json").write_text(json.dumps(special, indent=2))
        (part / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (part / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_tokenizers(vocabulary: dict[str, int], merges: Merges) -> list[CLIPTokenizer]:
    """The two tokenizers; they differ in their padding."""
    return [
        CLIPTokenizer(vocabulary, merges, model_max_length=MAX_TOKENS, pad_token=AddedToken(padding))
        for _, padding in _PARTS
    ]


def _character_merges(character: str) -> Merges:
    """The three bytes of a character to one token, within a word and at its end."""
    one, two, three = tuple(_byte_letters(character))
    return [(one, two), (one + two, three), (one + two, three + WORD_END)]


def _byte_letters(character: str) -> str:
    """The letters that stand for its bytes in a byte-level vocabulary."""
    ((letters, _),) = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(character)
    return str(letters)


def _word_merges(words: Counter[str]) -> Merges:
    tokenizer = Tokenizer(BPE(end_of_word_suffix=WORD_END))
    trainer = BpeTrainer(
        vocab_size=4 * len(words) + 100, min_frequency=2, end_of_word_suffix=WORD_END, show_progress=False
    )
    tokenizer.train_from_iterator(words.elements(), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(one, other) for one, other in merges]
