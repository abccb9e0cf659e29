"""A byte-level BPE whose pieces do not depend on what stands around them, so that they can be copied."""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from gpu_workers.demo.chat_training.chat_format import (
    ASSISTANT,
    BOS,
    CHAT_TEMPLATE,
    EOS,
    THINK_CLOSE,
    THINK_OPEN,
    USER,
)
from gpu_workers.demo.chat_training.mix import sample

VOCABULARY_SIZE = 2048
CONTEXT_TOKENS = 2048
SAMPLE_EXAMPLES = 30_000
# The library's tokenizer class for this architecture adds this one when it is missing, beyond the vocabulary.
PAD = "<|endoftext|>"
# Digits and Chinese characters stand alone. Only words in small letters take the space before them along:
# they are seldom copied, and most of them are frequent.
_PIECES = r"[0-9]|[\u4e00-\u9fff]| ?[a-z]+|[A-Z][a-z]+|[A-Z]+(?![a-z])|\s|."


def train_tokenizer(seed: int, examples: int = SAMPLE_EXAMPLES) -> PreTrainedTokenizerFast:
    """Learn the pieces from a sample of the corpus; equal seeds give equal tokenizers."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    tags = (THINK_OPEN, THINK_CLOSE)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(tags),
        special_tokens=[BOS, EOS, USER, ASSISTANT, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_texts(seed, examples), trainer)
    core.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in tags])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def _texts(seed: int, examples: int) -> Iterator[str]:
    """What is said in the corpus, without the marks of the chat format."""
    for example in sample(seed, examples):
        yield from (turn.content for turn in example.turns)
        yield f"{example.reasoning}\n\n{example.answer}"
