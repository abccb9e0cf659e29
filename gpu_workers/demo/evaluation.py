"""Examines the demo models: `python -m gpu_workers.demo.evaluation [chat] [image] [voice] [--docs docs/demo]`.

Prints the table and exits with 1 when a measure misses its bar. Without a choice it examines all that are there;
only the voice may be missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from gpu_workers.demo.chat_evaluation.asking import loaded_engine
from gpu_workers.demo.chat_evaluation.measures import examine
from gpu_workers.demo.chat_evaluation.page import page
from gpu_workers.demo.image_evaluation.measures import measure
from gpu_workers.demo.image_evaluation.sheet import write_sheet
from gpu_workers.demo.scores import HEAD, Row, table
from gpu_workers.demo.voice_evaluation.measures import measure as measure_voice
from gpu_workers.demo.voice_evaluation.measures import spoken_pairs
from gpu_workers.demo.voice_evaluation.spectrograms import SENTENCES as SHOWN_SENTENCES
from gpu_workers.demo.voice_evaluation.spectrograms import write_spectrograms

# The bars for speed are set for so many cores.
THREADS = 2
PICTURES, SENTENCES = 240, 60


def examine_chat(model: Path, docs: Path | None, share: float) -> Iterator[Row]:
    """Ask; into `docs` goes a page of 24 questions with their answers."""
    with loaded_engine(model) as engine:
        rows, judged = examine(engine, share=share)
    if docs:
        (docs / "chat.md").write_text(page(rows, judged), encoding="utf-8")
    yield from rows


def examine_image(model: Path, docs: Path | None, share: float) -> Iterator[Row]:
    """Have it paint; into `docs` goes a sheet of 24 pictures."""
    rows = []
    for row in measure(model, count=round(PICTURES * share)):
        rows.append(row)
        yield row
    if docs:
        write_sheet(model, docs, rows)


def examine_voice(model: Path, docs: Path | None, share: float) -> Iterator[Row]:
    """Have it speak; into `docs` go spectrograms beside the teacher's."""
    pairs = spoken_pairs(model, max(SHOWN_SENTENCES, round(SENTENCES * share)))
    rows = list(measure_voice(pairs))
    if docs:
        write_spectrograms(pairs, docs / "voice.png")
        said = "\n".join(
            f"{number}. {pair.sentence.text}" for number, pair in enumerate(pairs[:SHOWN_SENTENCES], 1)
        )
        page = (
            f"# How the demo voice sounds\n\n![Spectrograms](voice.png)\n\nFrom top to bottom:\n\n{said}\n\n"
        )
        (docs / "voice.md").write_text(f"{page}{table(rows)}\n", encoding="utf-8")
    yield from rows


EXAMS = {"chat": examine_chat, "image": examine_image, "voice": examine_voice}
OPTIONAL = {"voice"}


def main() -> int:
    """Returns the exit status: 0 when every bar is reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "media", nargs="*", choices=[[], *EXAMS], help="which models; all that there are without it"
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parent, help="folder of their folders")
    parser.add_argument("--docs", type=Path, help="write pages that show the quality into this folder, too")
    parser.add_argument("--share", type=float, default=1.0, help="part of the questions that is asked")
    options = parser.parse_args()
    media = options.media or [
        medium for medium in EXAMS if medium not in OPTIONAL or (options.models / medium).is_dir()
    ]
    for medium in media:
        if not (options.models / medium).is_dir():
            parser.error(f"there is no model in {options.models / medium}: train it with `make demo-models`")
    torch.set_num_threads(THREADS)
    if options.docs:
        options.docs.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{HEAD}\n")
    reached = True
    for medium in media:
        for row in EXAMS[medium](options.models / medium, options.docs, options.share):
            sys.stdout.write(f"{row.line}\n")
            sys.stdout.flush()
            reached = reached and row.ok
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
