"""From a conversation to the tokens of its prompt: only the template's own control marks become control tokens.

A message may hold what looks like a mark of the model (`<｜User｜>`, `<|im_start|>`, `<think>`), and a tokenizer would
take it for one: whoever writes it could forge the next turn. So marks in messages are cut in two before the template
is rendered, and the two halves are encoded apart: every character stays, and no half is a mark. A conversation
without marks is encoded in one piece, exactly as `apply_chat_template` does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from transformers import PreTrainedTokenizerBase

from gpu_workers.contract.messages import Turn
from gpu_workers.engines.text_stream import THINK_CLOSE, THINK_OPEN

# Unicode keeps this character for programs' own use; it is taken out of messages.
CUT = "\ufdd0"
# Many tokenizers do not declare their marks as special: `<｜User｜>` of DeepSeek's models is an ordinary added token.
MARK_SHAPE = re.compile(r"<[|｜].*[|｜]>", re.DOTALL)
NOWHERE = r"(?!)"


class PromptWriter:
    """Writes prompts for one tokenizer and knows which of its tokens no reader should see."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        added = {token: str(mark.content) for token, mark in tokenizer.added_tokens_decoder.items()}
        special = {token for token, mark in tokenizer.added_tokens_decoder.items() if mark.special}
        control = {
            token: mark for token, mark in added.items() if token in special or MARK_SHAPE.fullmatch(mark)
        }
        # `AnswerStream` wants to see the tags of thinking, where they mean something.
        self.tags = {token: mark for token, mark in added.items() if mark in (THINK_OPEN, THINK_CLOSE)}
        self.unseen = control.keys() - self.tags.keys()
        # What the template writes steers the model too. Added white space and HTML tags, which some have, do not.
        template = str(tokenizer.chat_template)
        written = {mark for mark in added.values() if mark.strip() and mark in template}
        marks = {*control.values(), *self.tags.values(), *written}
        self._cuts = _cuts(marks)
        self._beginnings = {mark[:size] for mark in marks for size in range(1, len(mark))}
        self._longest = max(map(len, marks), default=0)

    def render(self, turns: Sequence[Turn]) -> str:
        """The conversation as the template writes it, with cuts. Raises jinja2.TemplateError."""
        messages = [{"role": turn.role, "content": self.as_text(_said(turn))} for turn in turns]
        return str(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def as_text(self, content: str) -> str:
        """The content with each mark cut in two."""
        cut = self._cuts.sub(CUT, content.replace(CUT, ""))
        # A template may put two messages side by side; the end of one and the start of the next make no mark either.
        core = cut.rstrip()
        is_begun = any(core[-size:] in self._beginnings for size in range(1, self._longest))
        return f"{core}{CUT}{cut[len(core) :]}" if is_begun else cut

    def encode(self, text: str) -> list[int]:
        """The tokens of a rendered text; a mark that is not cut becomes its control token."""
        # JSON can carry halves of characters that no tokenizer takes.
        whole = text.encode(errors="replace").decode()
        return [
            token
            for part in whole.split(CUT)
            for token in self._tokenizer.encode(part, add_special_tokens=False, verbose=False)
        ]


def _cuts(marks: Iterable[str]) -> re.Pattern[str]:
    """Finds each place behind the first character of a mark, also where marks overlap."""
    endings: dict[str, list[str]] = {}
    for mark in sorted(marks):
        if len(mark) > 1:
            endings.setdefault(mark[0], []).append(re.escape(mark[1:]))
    places = [f"(?<={re.escape(first)})(?={'|'.join(rest)})" for first, rest in endings.items()]
    return re.compile("|".join(places) or NOWHERE)


def _said(turn: Turn) -> str:
    """What the turn says. An answer may come as the model wrote it; its reasoning is not for later turns."""
    if turn.role != "assistant" or not turn.content.lstrip().startswith(THINK_OPEN):
        return turn.content
    _, tag, answer = turn.content.partition(THINK_CLOSE)
    return answer.lstrip() if tag else turn.content
