"""Sums with written reasoning in which every symbol follows from a few that can be found by their mark.

A number is spelled digit by digit, each after a letter for its place: 347 is `C3B4A7`, the second number has
small letters. Each column is one line, and each digit of the result gets a letter of its own, so that no step
needs counting: the next symbol is a copy of what stood after the same letter, or comes from a small table.

    347+85                 85-347                  47×85
    C3B4A7+c0b8a5          C0B8A5-c3b4a7           B4A7×b8a5
    A7+a5+0=12:p2          C0<c3                   A7×a5=35+0=35:d5
    B4+b8+1=13:q3          347-85                  B4×a5=20+3=23:e3f2
    C3+c0+1=04:r4s0        a7-A5-0=2-0:p2          A7×b8=56+e3=59+0=59:h9
    s0r4q3p2=432           b4-B8-0=6-10:q6         B4×b8=32+f2=34+5=39:i9j3
                           c3-C0-1=2-0:r2          j3i9h9d5=3995
                           r2q6p2=262
                           -262
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from gpu_workers.demo.chat_training.examples import (
    Example,
    Language,
    asked,
    expand,
    is_held_out,
    pick_language,
    said,
)
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.words import english_name

UPPER, LOWER = "ABC", "abc"
SUM_MARKS = "pqrs"
ROW_MARKS = ("defg", "hijk", "mnou")
LARGEST = 999
_LENGTHS = (1, 2, 2, 3, 3, 3)
_PHRASES = phrases("arithmetic")
_SECTIONS = {"+": "add", "-": "subtract", "×": "multiply"}
_TYPED = {"+": ("+", " + "), "-": ("-", " - "), "×": ("×", " × ", "*", " * ", "x", " x ")}


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers up to three digits and what to do with them."""

    first: int
    sign: str
    second: int

    @property
    def result(self) -> int:
        """The right one."""
        if self.sign == "+":
            return self.first + self.second
        return self.first - self.second if self.sign == "-" else self.first * self.second

    @property
    def held_out(self) -> bool:
        """Whether only the evaluation may ask this."""
        return is_held_out(f"{self.first}{self.sign}{self.second}")

    def reasoning(self) -> str:
        """All steps, ending in `=RESULT`, or in the negative number on a line of its own."""
        lines = {"+": _added, "-": _subtracted, "×": _multiplied}[self.sign](self.first, self.second)
        return "\n".join((f"{self.first}{self.sign}{self.second}", *lines))

    def in_words(self) -> str:
        """The whole equation, as an answer says it."""
        return f"{self.first} {self.sign} {self.second} = {self.result}"


# --- the steps


def _spelled(number: int, marks: str, width: int) -> str:
    return "".join(f"{marks[place]}{_digit(number, place)}" for place in reversed(range(width)))


def _digit(number: int, place: int) -> int:
    return int(number // 10**place % 10)


def _width(first: int, second: int) -> int:
    return max(len(str(first)), len(str(second)))


def _gathered(marked: list[str], result: int) -> str:
    """The digits of the result by their marks, highest place first, and the number that they make."""
    return f"{''.join(reversed(marked))}={result}"


def _added(first: int, second: int) -> list[str]:
    width = _width(first, second)
    lines = [f"{_spelled(first, UPPER, width)}+{_spelled(second, LOWER, width)}"]
    marked: list[str] = []
    carry = 0
    for place in range(width):
        one, other = _digit(first, place), _digit(second, place)
        column = one + other + carry
        step = f"{UPPER[place]}{one}+{LOWER[place]}{other}+{carry}={column:02d}"
        carry = column // 10
        written = [f"{SUM_MARKS[place]}{column % 10}"]
        if place == width - 1:
            written.append(f"{SUM_MARKS[width]}{carry}")
        lines.append(f"{step}:{''.join(written)}")
        marked += written
    return [*lines, _gathered(marked, first + second)]


def _subtracted(first: int, second: int) -> list[str]:
    width = _width(first, second)
    lines = [f"{_spelled(first, UPPER, width)}-{_spelled(second, LOWER, width)}", *_compared(first, second)]
    large, small, large_marks, small_marks = first, second, UPPER, LOWER
    if first < second:
        large, small, large_marks, small_marks = second, first, LOWER, UPPER
        lines.append(f"{large}-{small}")
    marked: list[str] = []
    borrow = 0
    for place in range(width):
        one, other = _digit(large, place), _digit(small, place)
        step = f"{large_marks[place]}{one}-{small_marks[place]}{other}-{borrow}"
        column = one - other - borrow
        borrow = int(column < 0)
        marked.append(f"{SUM_MARKS[place]}{column % 10}")
        lines.append(f"{step}={column % 10}-{borrow * 10}:{marked[-1]}")
    lines.append(_gathered(marked, large - small))
    return [*lines, f"-{second - first}"] if first < second else lines


def _compared(first: int, second: int) -> list[str]:
    """Place by place from the highest until they differ."""
    lines = []
    for place in reversed(range(_width(first, second))):
        one, other = _digit(first, place), _digit(second, place)
        lines.append(f"{UPPER[place]}{one}{_relation(one, other)}{LOWER[place]}{other}")
        if one != other:
            break
    return lines


def _relation(first: int, second: int) -> str:
    return "=" if first == second else "<" if first < second else ">"


def _multiplied(first: int, second: int) -> list[str]:
    width, rows = len(str(first)), len(str(second))
    lines = [f"{_spelled(first, UPPER, width)}×{_spelled(second, LOWER, rows)}"]
    finished: list[str] = []
    above: list[str] = []
    for row in range(rows):
        steps, written = _row(first, row, _digit(second, row), above)
        lines += steps
        finished.append(written[0])
        above = written
    return [*lines, _gathered([*finished, *above[1:]], first * second)]


def _row(first: int, row: int, factor: int, above: list[str]) -> tuple[list[str], list[str]]:
    """One digit of the second number times the first, added to the marked digits of the row above."""
    width, marks = len(str(first)), ROW_MARKS[row]
    lines: list[str] = []
    written: list[str] = []
    carry = 0
    for place in range(width):
        digit = _digit(first, place)
        total = digit * factor
        step = f"{UPPER[place]}{digit}×{LOWER[row]}{factor}={total:02d}"
        if above:
            total += int(above[place + 1][1])
            step += f"+{above[place + 1]}={total:02d}"
        total += carry
        step += f"+{carry}={total:02d}"
        carry = total // 10
        here = [f"{marks[place]}{total % 10}"]
        if place == width - 1:
            here.append(f"{marks[width]}{carry}")
        written += here
        lines.append(f"{step}:{''.join(here)}")
    return lines, written


# --- questions


def sums(rng: Random, held_out: bool) -> Example:
    """A plain sum, in figures or in words."""
    language = pick_language(rng)
    task = _pick_sum(rng, held_out, rng.choice("++--×××"))
    if rng.random() < 0.3:
        question = expand(rng, _filled(rng.choice(_PHRASES[language][_SECTIONS[task.sign]]["words"]), task))
    else:
        typed = f"{task.first}{rng.choice(_TYPED[task.sign])}{task.second}"
        question = expand(rng, rng.choice(_PHRASES[language]["expression"])).replace("E", typed)
    return _answered(task, language, question)


def stories(rng: Random, held_out: bool) -> Example:
    """A small story with two numbers in it."""
    language = pick_language(rng)
    task = _pick_sum(rng, held_out, rng.choice("+-×"))
    if task.sign == "-" and task.first < task.second:
        task = Sum(task.second, "-", task.first)
        if task.held_out != held_out:
            return stories(rng, held_out)
    pattern = expand(rng, rng.choice(_PHRASES[language][_SECTIONS[task.sign]]["stories"]))
    question = _filled(pattern, task).replace("@n", english_name(rng))
    return _answered(task, language, question)


def comparisons(rng: Random, held_out: bool) -> Example:
    """Which of two numbers is larger."""
    language = pick_language(rng)
    task = _pick_sum(rng, held_out, "-")
    first, second = task.first, (task.first if rng.random() < 0.05 else task.second)
    if is_held_out(f"{first}?{second}") != held_out:
        return comparisons(rng, held_out)
    width = _width(first, second)
    spelled = f"{_spelled(first, UPPER, width)}?{_spelled(second, LOWER, width)}"
    relation = f"{first}{_relation(first, second)}{second}"
    reasoning = "\n".join((spelled, *_compared(first, second), relation))
    question = expand(rng, _filled(rng.choice(_PHRASES[language]["compare"]), Sum(first, "-", second)))
    larger = max(first, second)
    answers = {"en": f"{larger} is larger.", "zh": f"{larger} 更大。"}
    if first == second:
        answers = {"en": "They are equal.", "zh": "它们相等。"}
    return asked("comparison", language, question, reasoning, answers[language], expected=str(larger))


def follow_ups(rng: Random, held_out: bool) -> Example:
    """A sum that goes on from the last result."""
    language = pick_language(rng)
    before = _pick_sum(rng, False, rng.choice("++-×"))
    sign = rng.choice("+-×")
    task = Sum(before.result, sign, _number(rng))
    if not 0 <= before.result <= LARGEST or task.held_out != held_out:
        return follow_ups(rng, held_out)
    first = _answered(
        before,
        language,
        expand(rng, rng.choice(_PHRASES[language]["expression"])).replace(
            "E", f"{before.first}{before.sign}{before.second}"
        ),
    )
    question = _filled(expand(rng, _PHRASES[language][_SECTIONS[sign]]["follow_up"]), task)
    last = _answered(task, language, question)
    turns = said(first.turns[0].content, first.answer, question)
    return Example("follow_up", language, turns, last.reasoning, last.answer, last.expected)


def _pick_sum(rng: Random, held_out: bool, sign: str) -> Sum:
    while True:
        task = Sum(_number(rng), sign, _number(rng))
        if task.held_out == held_out:
            return task


def _number(rng: Random) -> int:
    return rng.randrange(10 ** rng.choice(_LENGTHS))


def _filled(pattern: str, task: Sum) -> str:
    return pattern.replace("@a", str(task.first)).replace("@b", str(task.second))


def _answered(task: Sum, language: Language, question: str) -> Example:
    ending = "。" if language == "zh" else "."
    return asked(
        _SECTIONS[task.sign],
        language,
        question,
        task.reasoning(),
        task.in_words() + ending,
        expected=str(task.result),
    )
