"""Examines a demo chat model: `python -m gpu_workers.demo.chat_evaluation --model DIR`.

Prints the table and exits with 1 when a measure is below its bar.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from gpu_workers.demo.chat_evaluation.asking import loaded_engine
from gpu_workers.demo.chat_evaluation.measures import examine
from gpu_workers.demo.chat_evaluation.page import page, table

SHIPPED = Path(__file__).parent.parent / "chat"
THREADS = 2


def main() -> int:
    """Read the command line, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder of the model")
    parser.add_argument("--page", type=Path, help="file for 24 questions with their answers")
    parser.add_argument("--share", type=float, default=1.0, help="part of the questions that is asked")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    with loaded_engine(options.model) as engine:
        rows, judged = examine(engine, share=options.share)
    print(table(rows))  # noqa: T201  the table is what this program is for
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(page(rows, judged))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
