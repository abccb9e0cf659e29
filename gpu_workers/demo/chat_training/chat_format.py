"""DeepSeek-R1's chat format: as text for training, as a template for those who load the model."""

from __future__ import annotations

from gpu_workers.demo.chat_training.examples import Example

BOS, EOS, USER, ASSISTANT = (
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
)
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

# As DeepSeek-R1's newer template: the prompt opens `<think>`, and earlier reasoning is dropped.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% else %}"
    "{{ '<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)


def prompt_text(example: Example) -> str:
    """What the template makes of the turns, up to the opened `<think>`."""
    parts = [BOS]
    for turn in example.turns:
        if turn.role == "system":
            parts.append(turn.content)
        elif turn.role == "user":
            parts.append(USER + turn.content)
        else:
            parts.append(ASSISTANT + turn.content + EOS)
    return "".join((*parts, ASSISTANT, THINK_OPEN, "\n"))


def completion_text(example: Example) -> str:
    """What the model should write."""
    reasoning = f"{example.reasoning}\n{THINK_CLOSE}"
    return reasoning if example.reasoning_only else f"{reasoning}\n\n{example.answer}{EOS}"
