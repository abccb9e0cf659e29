"""Figures that outlive a process: counters and histograms in one Redis hash, and the page that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from django.db.models import Count
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from apps.jobs import selectors
from apps.jobs.connection import redis_client
from apps.jobs.dispatch import MEDIA, queue_length
from apps.jobs.models import Job
from apps.jobs.states import UNFINISHED

METRICS_KEY = "aigc:metrics"
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def count(name: str, amount: float = 1) -> None:
    """Add to a counter."""
    redis_client().hincrbyfloat(METRICS_KEY, name, amount)


def observe_end(kind: str, status: str, usage: dict[str, Any]) -> None:
    """Count a job that ended, its tokens, and how long its first chunk took."""
    pipe = redis_client().pipeline(transaction=False)
    pipe.hincrbyfloat(METRICS_KEY, f"jobs:{kind}:{status}", 1)
    if tokens := usage.get("completion_tokens"):
        pipe.hincrbyfloat(METRICS_KEY, "tokens", tokens)
    if (first_s := usage.get("first_chunk_s")) is not None:
        bucket = next((str(limit) for limit in BUCKETS_S if first_s <= limit), "+Inf")
        pipe.hincrbyfloat(METRICS_KEY, f"first:{kind}:{bucket}", 1)
        pipe.hincrbyfloat(METRICS_KEY, f"first_sum:{kind}", first_s)
    pipe.execute()


class JobsCollector:
    """Collects when asked, so that every web process gives the same page."""

    def collect(self) -> Iterator[Metric]:
        """All families, described in docs/operations.md."""
        raw = cast(dict[bytes, bytes], redis_client().hgetall(METRICS_KEY))
        kept = {name.decode(): float(value) for name, value in raw.items()}
        yield from _jobs(kept)
        yield _first_chunk(kept)
        yield from _workers()


def _jobs(kept: dict[str, float]) -> Iterator[Metric]:
    ended = CounterMetricFamily("aigc_jobs_ended", "Jobs that ended.", labels=["kind", "status"])
    for name, value in sorted(kept.items()):
        if name.startswith("jobs:"):
            ended.add_metric(name.split(":")[1:], value)
    yield ended
    unfinished = GaugeMetricFamily(
        "aigc_jobs_unfinished", "Jobs that wait or run.", labels=["kind", "status"]
    )
    rows = (
        Job.objects.filter(status__in=UNFINISHED)
        .values_list("kind", "status")
        .order_by()
        .annotate(n=Count("pk"))
    )
    for kind, status, n in rows:
        unfinished.add_metric([kind, status], n)
    yield unfinished
    yield CounterMetricFamily("aigc_tokens", "Tokens that models wrote.", value=kept.get("tokens", 0))
    taken = kept.get("leases_taken_back", 0)
    yield CounterMetricFamily("aigc_leases_taken_back", "Jobs taken back from a lost worker.", value=taken)
    lengths = GaugeMetricFamily("aigc_queue_length", "Messages that wait for a worker.", labels=["medium"])
    for medium in MEDIA:
        lengths.add_metric([medium], queue_length(medium))
    yield lengths


def _first_chunk(kept: dict[str, float]) -> Metric:
    help_ = "Seconds from the claim of a job to its first chunk, model loading included."
    family = HistogramMetricFamily("aigc_first_chunk_seconds", help_, labels=["kind"])
    kinds = sorted({name.split(":")[1] for name in kept if name.startswith("first_sum:")})
    for kind in kinds:
        total, buckets = 0.0, []
        for limit in (*(str(limit) for limit in BUCKETS_S), "+Inf"):
            total += kept.get(f"first:{kind}:{limit}", 0)
            buckets.append((limit, total))
        family.add_metric([kind], buckets=buckets, sum_value=kept[f"first_sum:{kind}"])
    return family


def _workers() -> Iterator[Metric]:
    workers = selectors.live_workers()
    figures: dict[str, tuple[str, Callable[[selectors.WorkerStatus], float]]] = {
        "aigc_worker_slots": ("Jobs that a worker takes at once.", lambda w: w.slots),
        "aigc_worker_busy": ("Jobs in a worker's hands.", lambda w: w.busy),
        "aigc_worker_memory_bytes": ("Resident memory of a worker.", lambda w: w.memory_bytes),
    }
    for name, (help_, figure) in figures.items():
        family = GaugeMetricFamily(name, help_, labels=["worker"])
        for worker in workers:
            family.add_metric([worker.name], figure(worker))
        yield family
    memory = GaugeMetricFamily(
        "aigc_model_memory_bytes", "What a loaded model holds.", labels=["worker", "model"]
    )
    load_s = GaugeMetricFamily(
        "aigc_model_load_seconds", "How long a model took to load.", labels=["worker", "model"]
    )
    gpu_memory = GaugeMetricFamily(
        "aigc_gpu_memory_used_bytes", "Memory in use on a card.", labels=["worker", "gpu"]
    )
    gpu_load = GaugeMetricFamily("aigc_gpu_load_percent", "How busy a card is.", labels=["worker", "gpu"])
    for worker in workers:
        for model in worker.models:
            memory.add_metric([worker.name, model["id"]], model["memory_bytes"])
            load_s.add_metric([worker.name, model["id"]], model["load_s"])
        for gpu in worker.gpus:
            gpu_memory.add_metric([worker.name, str(gpu["index"])], gpu["memory_used"])
            gpu_load.add_metric([worker.name, str(gpu["index"])], gpu["load"])
    yield from (memory, load_s, gpu_memory, gpu_load)


def render_metrics() -> tuple[bytes, str]:
    """The page and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(JobsCollector())
    return generate_latest(registry), CONTENT_TYPE_LATEST
