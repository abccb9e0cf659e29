"""CPU time and memory of processes, from /proc: what a run cost, by process.

A process counts with its descendants, except this one: the servers that it started have names of their own.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SAMPLE_S = 0.25


@dataclass(slots=True)
class Cost:
    """What one process took between start and end of the sampling."""

    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0
    idle_rss_mb: float = 0.0


@dataclass(slots=True)
class Sampling:
    """`costs` by name; complete when the `sampling` block has ended."""

    costs: dict[str, Cost] = field(default_factory=dict)


@contextlib.contextmanager
def sampling(pids: Mapping[str, int]) -> Iterator[Sampling]:
    """Measure the processes while the block runs. Raises ProcessLookupError for a pid that is not there."""
    result = Sampling({name: Cost(idle_rss_mb=rss_mb(pid)) for name, pid in pids.items()})
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            for name, pid in pids.items():
                with contextlib.suppress(ProcessLookupError):
                    result.costs[name].peak_rss_mb = max(result.costs[name].peak_rss_mb, rss_mb(pid))

    watcher = threading.Thread(target=watch, name="process-sampler", daemon=True)
    watcher.start()
    try:
        yield result
    finally:
        over.set()
        watcher.join()
        for name, pid in pids.items():
            cost = result.costs[name]
            cost.cpu_s = cpu_s(pid) - before[name]
            cost.peak_rss_mb = max(cost.peak_rss_mb, rss_mb(pid))


def cpu_s(pid: int) -> float:
    """User and system seconds of the process, its reaped children and its living descendants."""
    if pid == os.getpid():
        return time.process_time()
    return sum(_cpu_ticks(each) for each in family(pid)) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident megabytes of the process and its descendants; shared pages count in each."""
    counted = [pid] if pid == os.getpid() else family(pid)
    return sum(_resident_pages(each) for each in counted) * PAGE_BYTES / 1e6


def unread_mb(port: int) -> float:
    """Megabytes that the kernel keeps for the clients of a port on this machine, who have not taken them yet."""
    mine = f":{port:04X}"
    # Field 1 of proc_net_tcp(5) is the local address, field 4 the queues, in hexadecimal.
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(mine)) / 1e6


def wait_until_quiet(
    pids: Mapping[str, int], *, below: float = 0.05, for_s: float = 1.0, timeout_s: float = 60.0
) -> float:
    """Wait until the processes together take less than `below` of a core for `for_s`, or the time is over.

    Returns what they took last, in cores.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        before, since = sum(map(cpu_s, pids.values())), time.monotonic()
        time.sleep(for_s)
        taken = (sum(map(cpu_s, pids.values())) - before) / (time.monotonic() - since)
        if taken < below or time.monotonic() > deadline:
            return taken


def family(pid: int) -> list[int]:
    """The process and all its descendants. Raises ProcessLookupError when it is not there."""
    if not Path(f"/proc/{pid}").exists():
        raise ProcessLookupError(f"no process {pid}")
    found = [pid]
    for parent in found:  # grows while it runs
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in listing.read_text().split()]
    return found


def _cpu_ticks(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        # The name in brackets may hold spaces, so count from its end. Fields 14 to 17 of proc(5).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:15])
    return 0


def _resident_pages(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0
