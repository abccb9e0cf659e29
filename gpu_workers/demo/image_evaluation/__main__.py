"""`python -m gpu_workers.demo.image_evaluation`: the table of measures; fails below a bar."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gpu_workers.demo.image_evaluation.measures import Row, measure
from gpu_workers.demo.image_evaluation.sheet import write_sheet

SHIPPED = Path(__file__).parents[1] / "image"


def main() -> int:
    """Returns the exit status: 0 when every bar is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder of the pipeline")
    parser.add_argument("--count", type=int, default=240, help="pictures for the measure with the bar")
    parser.add_argument("--docs", type=Path, help="write images.png and images.md into this folder, too")
    arguments = parser.parse_args()
    rows = []
    for row in measure(arguments.model, count=arguments.count):
        rows.append(row)
        sys.stdout.write(line(row) + "\n")
        sys.stdout.flush()
    if arguments.docs:
        write_sheet(arguments.model, arguments.docs, rows)
    return 0 if all(row.ok for row in rows) else 1


def line(row: Row) -> str:
    """A row of the table: measure, number of pictures, result, bar, verdict."""
    verdict = "" if row.bar is None else ("ok" if row.ok else "MISSED")
    return f"{row.measure:<62} {row.count:>5} {row.shown:>8} {row.shown_bar:>9} {verdict}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
