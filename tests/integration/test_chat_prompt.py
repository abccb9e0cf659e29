"""The tokens of a prompt: those of `apply_chat_template` for ordinary text, and no forged turn for any other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from gpu_workers.contract.messages import Turn
from gpu_workers.demo import tiny_chat
from gpu_workers.engines.chat_prompt import PromptWriter

pytestmark = pytest.mark.engines

# The shapes that models in use have: DeepSeek's, ChatML with a trim, Llama 3's, Mistral's.
TEMPLATES = {
    "deepseek": tiny_chat.CHAT_TEMPLATE,
    "chatml": (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        "{% if m.role == 'assistant' and '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}"
        "{% else %}{{ m.content | trim }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
    ),
    "llama": (
        "{{ bos_token }}{% for m in messages %}"
        "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}"
        "{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    ),
    "mistral": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + '</s>' }}"
        "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"
    ),
}
# As their tokenizers have them: some are declared special, many are not.
ADDED = {
    "deepseek": [],
    "chatml": [
        AddedToken("<|im_start|>", special=True),
        AddedToken("<|im_end|>", special=True),
        AddedToken("<|fim_middle|>", normalized=False),
    ],
    "llama": [
        AddedToken(mark, special=True) for mark in ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    ],
    "mistral": [
        AddedToken("[INST]", normalized=False),
        AddedToken("[/INST]", normalized=False),
        AddedToken("</s>", special=True),
        # Added text that is no control mark, as Gemma's and Phi's tokenizers have it.
        AddedToken("<table>", normalized=False),
        AddedToken("    ", normalized=False),
    ],
}
ORDINARY = (
    "Hello",
    "",
    "  white space  \n",
    "你好，世界 😀\ud83d",
    "a < b && b > c, [INST ] <|> <im_start> x<y",
    "> quoted\n\n    code\n<b>bold</b>",
    "<table>\n<tr>",
    "a\u0301 e\u200d\u2028 end",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-chat")
    tiny_chat.build(folder)
    return folder


@pytest.fixture(params=TEMPLATES)
def tokenizer(folder: Path, request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(ADDED[request.param])
    tokenizer.chat_template = TEMPLATES[request.param]
    return tokenizer


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> list[int]:
    prompts = PromptWriter(tokenizer)
    return prompts.encode(prompts.render(turns))


def library_tokens(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> list[int]:
    """What the library makes of the conversation, which takes no halves of characters."""
    messages = [
        {"role": turn.role, "content": turn.content.encode(errors="replace").decode()} for turn in turns
    ]
    return list(
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    )


def control_tokens(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> list[str]:
    marks = {
        token: mark.content
        for token, mark in tokenizer.added_tokens_decoder.items()
        if mark.content.strip() and mark.content != "<table>"
    }
    return [marks[token] for token in tokens if token in marks]


@pytest.mark.parametrize("content", ORDINARY)
def test_ordinary_text_gives_the_librarys_own_tokens(
    tokenizer: PreTrainedTokenizerBase, content: str
) -> None:
    conversation = (
        Turn("system", content),
        Turn("user", f"{content} and more"),
        Turn("assistant", content),
        Turn("user", content),
    )
    for turns in (conversation, conversation[:2], conversation[1:2]):
        assert prompt_tokens(tokenizer, turns) == library_tokens(tokenizer, turns)


def test_no_mark_in_any_message_becomes_a_control_token(tokenizer: PreTrainedTokenizerBase) -> None:
    marks = [mark.content for mark in tokenizer.added_tokens_decoder.values()]
    pattern = [Turn("system", "x"), Turn("user", "x"), Turn("assistant", "x"), Turn("user", "x")]
    template_only = control_tokens(tokenizer, prompt_tokens(tokenizer, pattern))
    assert template_only
    for mark in marks:
        hostile = (
            mark,
            f"text{mark}text",
            f"{mark} ",
            mark * 3,
            f"{mark[:3]}{mark}{mark[3:]}",
            mark[: len(mark) // 2] + "\ufdd0" + mark[len(mark) // 2 :],
        )
        for content in hostile:
            turns = [Turn(turn.role, content) for turn in pattern]
            tokens = prompt_tokens(tokenizer, turns)
            assert control_tokens(tokenizer, tokens) == template_only, content
            # Nothing was lost either: the model reads what was written.
            plain = content.replace("\ufdd0", "").strip()
            assert tokenizer.decode(tokens).count(plain) >= len(pattern), content


def test_two_messages_side_by_side_make_no_mark(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content | trim }}{% endfor %}"
    for mark in ("<｜User｜>", "<think>"):
        for cut, space in product(range(1, len(mark)), ("", " \n")):
            turns = [Turn("system", f"a {mark[:cut]}{space}"), Turn("user", f"{space}{mark[cut:]} b")]
            tokens = prompt_tokens(tokenizer, turns)
            assert control_tokens(tokenizer, tokens) == []
            assert tokenizer.decode(tokens) == f"a {mark} b"


def test_marks_that_overlap_are_all_cut(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken("<a>", special=True), AddedToken(">b<", special=True)])
    tokens = prompt_tokens(tokenizer, [Turn("user", "<a>b<a>b<a>")])
    assert control_tokens(tokenizer, tokens) == ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]


def test_a_message_cannot_begin_the_models_reasoning(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{{ messages[-1].content }}"
    text = PromptWriter(tokenizer).render([Turn("user", "Hello <think>")])
    assert not text.rstrip().endswith("<think>")


def test_an_answer_as_the_model_wrote_it_goes_back_without_its_reasoning(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    asked, again = Turn("user", "Why?"), Turn("user", "And then?")
    raw = (asked, Turn("assistant", "<think>\nwell </s>\n</think>\n\nBecause."), again)
    told = (asked, Turn("assistant", "Because."), again)
    assert prompt_tokens(tokenizer, raw) == library_tokens(tokenizer, told)


def test_an_answer_that_only_mentions_the_tag_is_kept_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    answer = "The tag </think> closes it."
    tokens = prompt_tokens(tokenizer, (Turn("user", "?"), Turn("assistant", answer), Turn("user", "?")))
    assert answer in tokenizer.decode(tokens)


def test_the_longest_message_of_marks_is_cut_in_reasonable_time(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken(f"<|reserved_{n}|>", special=True) for n in range(256)])
    prompts = PromptWriter(tokenizer)
    for content in ("<" * 400_000, "<|reserved_255|>" * 25_000):
        begun = time.perf_counter()
        cut = prompts.as_text(content)
        assert time.perf_counter() - begun < 5
        assert cut.replace("\ufdd0", "") == content


def test_marks_are_unseen_whether_declared_special_or_not_and_added_text_is_seen(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([*ADDED["chatml"], *ADDED["mistral"]])
    unseen = tokenizer.convert_ids_to_tokens(PromptWriter(tokenizer).unseen)
    assert {"<|im_end|>", "<|fim_middle|>", "</s>", "<｜User｜>"} <= set(unseen)
    assert not {"<table>", "    ", "<think>", "</think>"} & set(unseen)
