"""The engines through the whole product against the engines alone, and chats at once against one after the other."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.job_client import JobFailed, run_jobs
from benchmarks.product import Product
from benchmarks.report import ROOT, Bar, Row, ratio
from benchmarks.sizes import Sizes

OF_THE_ENGINE = Bar(0.95, at_most=False)
TOGETHER = Bar(5, at_most=False)
SENTENCES = (
    "The light of the morning falls through the window. She reads the letter twice and puts it away. "
    "When the rain stops, the street is quiet and every sound comes from far away."
)
Round = Callable[[], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One engine's work: its catalogue entry, the jobs of a round, and what is counted."""

    name: str
    model: str
    medium: str
    unit: str
    inputs: list[dict[str, Any]]
    bar: Bar | None = OF_THE_ENGINE


@dataclass(slots=True)
class Rates:
    """What was made in a second, round by round, through the product and by the engine alone."""

    product: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)


def cases(sizes: Sizes) -> list[Case]:
    """Each engine that runs here, with its demo model."""
    speeches = [
        {"text": f"Number {number}. " + " ".join([SENTENCES] * sizes.voice_repeats), "language": "en"}
        for number in range(sizes.voices)
    ]
    pictures = [
        {"prompt": f"a house on hill number {number}", "steps": sizes.image_steps, "seed": number}
        for number in range(sizes.images)
    ]
    return [
        Case("deepseek", "demo-chat", "chat", "tokens/s", chats(sizes)),
        Case("sdxl", "demo-image", "image", "images/s", pictures),
        Case("vits", "demo-voice", "voice", "s of speech/s", speeches),
        # Formant synthesis takes a few milliseconds, so this says what a job costs, not what an engine loses.
        Case("espeak", "espeak", "voice", "s of speech/s", speeches, bar=None),
    ]


def chats(sizes: Sizes) -> list[dict[str, Any]]:
    """Greedy chats, so that both sides make the same tokens."""
    return [
        {
            "messages": [{"role": "user", "content": f"Tell me story number {number} of the small boat."}],
            "max_tokens": sizes.chat_tokens,
            "temperature": 0,
        }
        for number in range(sizes.chats)
    ]


def engines(product: Product, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """Every case, one after the other; an engine that does not run is a row that says why."""
    rows = []
    for case in cases(sizes):
        what = f"{case.name}, {len(case.inputs)} jobs: through the product for each of the engine alone"
        try:
            rates = _measure(product, case, sizes)
        except (JobFailed, EngineAloneFailed, TimeoutError) as error:
            rows.append(Row(what, math.nan, "x", case.bar, f"failed: {error}"))
            continue
        raw[f"engine {case.name}"] = asdict(rates)
        rows.append(row_of(what, rates, case))
    return rows


def row_of(what: str, rates: Rates, case: Case) -> Row:
    """The ratio of the medians; both in the note."""
    through, alone = median(rates.product), median(rates.alone)
    note = f"product {through:.4g}, alone {alone:.4g} {case.unit}, {len(rates.product)} rounds"
    return Row(what, ratio(through, alone), "x", case.bar, note)


def _measure(product: Product, case: Case, sizes: Sizes) -> Rates:
    rates = Rates()
    with _engine_alone(product, case) as alone:

        def through() -> tuple[float, float]:
            return run_jobs(product, case.medium, case.model, case.inputs)

        alone(), through()  # loads the models and fills what they cache
        for number in range(sizes.engine_rounds):
            turns: list[tuple[Round, list[float]]] = [(alone, rates.alone), (through, rates.product)]
            for work, found in turns if number % 2 == 0 else reversed(turns):
                found.append(rate(*work()))
    return rates


def rate(made: float, seconds: float) -> float:
    """Made in a second; nothing made is no rate, but a failure of the measurement."""
    if made <= 0:
        raise JobFailed("nothing was made in a whole round")
    return made / seconds


# --- the engine alone


class EngineAloneFailed(Exception):
    """The engine's own process ended early; the message holds the end of what it said."""


@contextmanager
def _engine_alone(product: Product, case: Case) -> Iterator[Round]:
    """The engine in a process of its own, with the gpu worker's environment; call it for a round."""
    spec = json.dumps(product.spec(case.model, case.medium))
    log = product.folder.parent / f"engine-{case.name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.engine_alone", spec],
            cwd=ROOT,
            env=product.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, answers = process.stdin, process.stdout

    def one_round() -> tuple[float, float]:
        process.send_signal(signal.SIGCONT)
        try:
            asked.write(json.dumps(case.inputs) + "\n")
            asked.flush()
        except BrokenPipeError:
            pass  # it has ended: there is no answer either
        answer = answers.readline()
        if not answer:
            raise EngineAloneFailed(log.read_text(errors="replace")[-500:])
        process.send_signal(signal.SIGSTOP)  # its threads must cost the product nothing
        found: Mapping[str, float] = json.loads(answer)
        return found["made"], found["seconds"]

    try:
        yield one_round
    finally:
        process.kill()  # it keeps nothing
        process.communicate()


# --- at once against one after the other


def together(product: Product, sizes: Sizes, raw: dict[str, object]) -> list[Row]:
    """Chats through the product at once, and some of them one after the other, in turn."""
    inputs = chats(sizes)
    what = f"{sizes.chats} chats at once for each one after the other, tokens/s"

    def at_once() -> tuple[float, float]:
        return run_jobs(product, "chat", "demo-chat", inputs)

    def in_turn() -> tuple[float, float]:
        return added_up(
            [run_jobs(product, "chat", "demo-chat", [each]) for each in inputs[: sizes.chats_in_turn]]
        )

    try:
        at_once()
        rates = [(rate(*in_turn()), rate(*at_once())) for _ in range(sizes.engine_rounds)]
    except (JobFailed, TimeoutError) as error:
        return [Row(what, math.nan, "x", TOGETHER, f"failed: {error}")]
    raw["together"] = [{"in_turn": slow, "at_once": fast} for slow, fast in rates]
    slow, fast = (median(side) for side in zip(*rates, strict=True))
    return [Row(what, ratio(fast, slow), "x", TOGETHER, f"at once {fast:.4g}, in turn {slow:.4g} tokens/s")]


def added_up(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """What several rounds made together, and their seconds together."""
    return sum(made for made, _ in rounds), sum(seconds for _, seconds in rounds)
