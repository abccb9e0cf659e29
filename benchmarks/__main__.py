"""`python -m benchmarks`: starts the product and measures it against the bars of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from benchmarks import engines, latency, slow_readers, streams, studio
from benchmarks.peer_servers import Peers, running_peers
from benchmarks.peers import ENVIRONMENTS
from benchmarks.product import Product, running_product
from benchmarks.report import RESULTS, Row, machine, table, write_json
from benchmarks.servers import NotStarted, fake_upstream
from benchmarks.sizes import FULL, QUICK, SMOKE, Sizes

Measure = Callable[[], list[Row]]
# In this order: the memory of an idle product first, the model libraries, which stay loaded, last.
NAMES = (
    "memory",
    "latency",
    "sse",
    "websocket",
    "slow-readers",
    "redis-restart",
    "studio",
    "engines",
    "together",
)
WITH_PEERS = ("sse", "websocket")


class Suite:
    """One run: `rows` for people, `raw` for whoever wants to know more."""

    def __init__(self, product: Product, upstream: tuple[str, int], sizes: Sizes) -> None:
        self.rows: list[Row] = []
        self.raw: dict[str, Any] = {}
        self._product, self._upstream, self._sizes = product, upstream, sizes

    def measure(self, names: list[str], peers: Peers) -> None:
        """Measure these, telling the rows of each when it is done."""
        everybody = streams.Field(self._product, self._upstream, peers)
        product, sizes, raw = self._product, self._sizes, self.raw
        known: dict[str, Measure] = {
            "memory": lambda: streams.memory(everybody, product, sizes, raw),
            "latency": lambda: latency.latency(product, self._upstream[0], sizes.submits, raw),
            "sse": lambda: streams.server_sent_events(everybody, sizes, raw),
            "websocket": lambda: streams.websocket(everybody, sizes, raw),
            "slow-readers": lambda: slow_readers.slow_readers(
                everybody, product, self._upstream[0], sizes, raw
            ),
            "redis-restart": lambda: streams.redis_restart(everybody, product, sizes, raw),
            "studio": lambda: studio.studio(product, self._upstream[0], sizes, raw),
            "engines": lambda: engines.engines(product, sizes, raw),
            "together": lambda: engines.together(product, sizes, raw),
        }
        for name in names:
            begun = time.monotonic()
            rows = known[name]()
            self.rows += rows
            print(f"\n{name} ({time.monotonic() - begun:.0f} s)\n{table(rows)}", flush=True)


def main() -> int:
    """Run what was asked for; 1 when the product did not start, or with --strict when a bar is missed."""
    given = _arguments()
    sizes = SMOKE if given.smoke else QUICK if given.quick else FULL
    names = [name for name in NAMES if not given.only or name in given.only]
    about = machine() | {"sizes": sizes.name}
    _warn(about)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aigc-bench-") as scratch:
        try:
            suite = _run(Path(scratch), names, sizes, with_peers=not given.without_peers)
        except NotStarted as error:
            print(error)
            return 1
    about["seconds"] = round(time.monotonic() - begun)
    file = given.out or RESULTS / f"{about['at'].replace(':', '')}-{sizes.name}.json"
    write_json(file, suite.rows, _plain(suite.raw), about)
    missed = [row for row in suite.rows if row.verdict == "MISSED"]
    print(f"\n{len(suite.rows)} rows, {len(missed)} bars missed, {about['seconds']} s; all figures: {file}")
    return 1 if missed and given.strict else 0


def _run(folder: Path, names: list[str], sizes: Sizes, *, with_peers: bool) -> Suite:
    print("Starting the product ...", flush=True)
    with fake_upstream(folder) as upstream, running_product(folder, upstream[0]) as product:
        suite = Suite(product, upstream, sizes)
        # The peers run only while they are measured.
        before = [name for name in names if NAMES.index(name) < NAMES.index(WITH_PEERS[0])]
        compared = [name for name in names if name in WITH_PEERS]
        suite.measure(before, Peers())
        if compared:
            people = max(sizes.websocket) if "websocket" in compared else 1
            with running_peers(folder, upstream[0], people=people, wanted=with_peers) as peers:
                suite.raw["peers"] = {name: peer.version for name, peer in peers.running.items()}
                suite.measure(compared, peers)
        suite.measure([name for name in names if name not in (*before, *compared)], Peers())
        return suite


def _warn(about: dict[str, Any]) -> None:
    if about["load_average"] > about["cores"] / 4:
        print(
            f"Other work runs here (load average {about['load_average']:.1f}): the figures will be too slow."
        )


def _plain(value: Any) -> Any:
    """Dataclasses as what JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split(": ", 1)[1])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="one short round of each: under three minutes")
    size.add_argument("--smoke", action="store_true", help="only whether it works; the figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--out", type=Path, help="the JSON file; by default a new one in benchmarks/results")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a bar is missed")
    names = ", ".join(ENVIRONMENTS)
    parser.add_argument("--without-peers", action="store_true", help=f"leave out {names}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
