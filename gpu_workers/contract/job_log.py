"""A job's log and state in Redis: the keys, and the scripts that keep them true.

Everything that decides who may write is inside a script, so Redis itself refuses a stale attempt, a second claim
or an event after the end. All keys of a job share the hash tag `{job id}`; no script spans two jobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast
from zlib import crc32

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError, RedisError

from gpu_workers.contract.events import BEGINNING, Event, EventId, Started, parse_event

LIVE_KEPT_S = 300
UNFINISHED_TTL_S = 7 * 24 * 3600  # a net under rows deleted by hand; unfinished jobs renew it
LIVE_CAP = (
    2000  # entries of a live stream: some seconds under full load; who falls behind reads the job's own log
)
CONTROL_CHANNEL = "aigc:control"
WORKERS_KEY = "aigc:workers"


def state_key(job_id: str) -> str:
    """Hash: attempt, number, worker, lease, cancel, ended."""
    return f"aigc:{{{job_id}}}:state"


def log_key(job_id: str) -> str:
    """Stream: the job's events, `t` the type and `d` the JSON data."""
    return f"aigc:{{{job_id}}}:log"


def bytes_key(job_id: str, bytes_id: str) -> str:
    """String with a time to live: a file on its way into or out of the worker."""
    return f"aigc:{{{job_id}}}:bytes:{bytes_id}"


def live_key(shard: int) -> str:
    """Capped stream of batches of events of many jobs."""
    return f"aigc:live:{shard}"


def worker_key(name: str) -> str:
    """String with a time to live: what a worker says of itself."""
    return f"aigc:worker:{name}"


def model_key(model_id: str) -> str:
    """Hash: state, done, total and message of a model's loading."""
    return f"aigc:model:{model_id}"


def voices_key(model_id: str) -> str:
    """String: the `voices` and `languages` of a voice model as JSON, as they were when it was last loaded."""
    return f"aigc:spoken:{model_id}"


def artifact_url(job_id: str, artifact_id: str) -> str:
    """Where a client reads an artifact, checked by the web process."""
    return f"/api/v1/jobs/{job_id}/artifacts/{artifact_id}"


def shard_of(job_id: str, shards: int) -> int:
    """The live stream that carries a job's events."""
    return crc32(job_id.encode()) % shards


class LogEntry(NamedTuple):
    """One event as the log keeps it; `data` stays JSON text, so that transports can pass it on unread."""

    id: EventId
    type: str
    data: str

    @property
    def event(self) -> Event:
        """The event itself."""
        return parse_event(self.type, orjson.loads(self.data))

    @classmethod
    def read(cls, raw_id: bytes, fields: Mapping[bytes, bytes]) -> LogEntry:
        """An entry as `XRANGE` gives it."""
        return cls(EventId.parse(raw_id.decode()), fields[b"t"].decode(), fields[b"d"].decode())


class LiveEntry(NamedTuple):
    """One event of a live batch, as flat as it travels."""

    job_id: str
    attempt: int
    number: int
    type: str
    data: str


def dump_live(batch: Sequence[LiveEntry]) -> bytes:
    """A batch as one stream entry carries it."""
    return orjson.dumps([tuple(entry) for entry in batch])  # a NamedTuple is no tuple to orjson


def load_live(payload: bytes, wanted: Container[str]) -> Iterator[tuple[str, LogEntry]]:
    """The events of a live stream entry that belong to `wanted` jobs, each with its job's id."""
    for job_id, attempt, number, type_, data in orjson.loads(payload):
        if job_id in wanted:
            yield job_id, LogEntry(EventId(attempt, number), type_, data)


class Claim(NamedTuple):
    """The answer to a claim: `ok`, or why not; the `number` of its `started` event."""

    answer: Literal["ok", "ended", "cancelled", "stale", "taken", "spent"]
    number: int


class Appended(NamedTuple):
    """The answer to an append; `behind` says up to which number the log has the attempt's events."""

    answer: Literal["ok", "behind", "stale", "ended"]
    number: int


class Cancellation(NamedTuple):
    """`running`: the worker was asked; `cancelled`: it ended here, with this event id; `ended`: somebody was first."""

    answer: Literal["running", "cancelled", "ended"]
    id: str


class Advance(NamedTuple):
    """The answer to opening the next attempt (or to ending a lost job)."""

    answer: Literal["ok", "ended", "leased", "moved", "cancel"]
    id: str


@dataclass(frozen=True, slots=True)
class JobState:
    """A job's state as the sweep compares it with the row."""

    attempt: int
    claimed: bool
    leased: bool
    cancel: bool
    ended: str | None


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name under which Redis keeps it."""

    source: str
    sha: str

    @classmethod
    @cache
    def load(cls, name: str) -> Script:
        """Read `lua/NAME.lua` behind the shared part."""
        folder = Path(__file__).parent / "lua"
        parts = ["lib", "compact", name] if name == "append" else ["lib", name]
        source = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())

    def run(self, redis: Redis, job_id: str, *args: str | int | float) -> Any:
        """Run on a job's two keys, loading the script where Redis does not have it (it forgets them at a restart)."""
        keys = (state_key(job_id), log_key(job_id))
        try:
            return redis.evalsha(self.sha, 2, *keys, *args)
        except NoScriptError:
            return redis.eval(self.source, 2, *keys, *args)

    def queue(self, pipe: Pipeline, job_id: str, *args: str | int | float) -> None:
        """Add a run to a pipeline; the caller loads the script and sends again on NoScriptError."""
        # Not `pipe.evalsha`: its wrappers cost more than all the rest, once for every token.
        pipe.execute_command(  # type: ignore[no-untyped-call]
            "EVALSHA", self.sha, 2, state_key(job_id), log_key(job_id), *args
        )


APPEND, RENEW = Script.load("append"), Script.load("renew")


class JobLog:
    """The blocking side of the log: what workers, services and the sweep do with it."""

    def __init__(
        self,
        redis: Redis,
        *,
        shards: int = 1,
        cap: int = 4000,
        ended_ttl_s: int = 24 * 3600,
        lease_s: float = 10.0,
    ) -> None:
        self.redis, self.shards, self.cap, self.ended_ttl_s = redis, shards, cap, ended_ttl_s
        self.lease_ms = int(lease_s * 1000)

    # --- the worker

    def claim(self, job_id: str, attempt: int, worker: str, model: str) -> Claim:
        """Take the job for this attempt and worker, and say so by `started`, in one step; or learn why not."""
        event = Started(attempt, model)
        data = event.dumps()
        answer, number = Script.load("claim").run(
            self.redis, job_id, attempt, worker, self.lease_ms, UNFINISHED_TTL_S, event.type, data
        )
        if answer == b"ok":
            with suppress(RedisError):  # the claim stands; who follows sees the gap and reads the log
                self.broadcast([LiveEntry(job_id, attempt, int(number), event.type, data)])
        return Claim(answer.decode(), int(number))

    def queue_append(  # noqa: PLR0917  the order of the script's own arguments
        self,
        pipe: Pipeline,
        job_id: str,
        attempt: int,
        worker: str,
        first: int,
        events: Sequence[tuple[str, str]],
        terminal: str,
    ) -> None:
        """Add the append of events `first`, `first + 1` … (type, JSON data) to a pipeline; it answers an `Appended`."""
        flat = [part for event in events for part in event]
        APPEND.queue(
            pipe,
            job_id,
            attempt,
            worker,
            first,
            self.cap,
            self.ended_ttl_s,
            terminal,
            *flat,
        )

    def queue_renew(self, pipe: Pipeline, job_id: str, attempt: int, worker: str) -> None:
        """Add the renewal of a lease to a pipeline; it answers b'ok', b'cancel' or b'lost'."""
        RENEW.queue(pipe, job_id, attempt, worker, self.lease_ms, UNFINISHED_TTL_S)

    def release(self, job_id: str, attempt: int, worker: str) -> bool:
        """Hand the job back: its lease ends now."""
        return bool(Script.load("release").run(self.redis, job_id, attempt, worker))

    def load_scripts(self) -> None:
        """Give Redis the scripts that travel in pipelines."""
        for script in (APPEND, RENEW):
            self.redis.script_load(script.source)

    # --- the web side

    def note(self, job_id: str, attempt: int, event: Event) -> bool:
        """Tell the followers of a job that waits something; False when it no longer waits."""
        data = event.dumps()
        id_ = Script.load("note").run(self.redis, job_id, attempt, event.type, data, UNFINISHED_TTL_S)
        return self._broadcast_one(job_id, id_, event.type, data)

    def cancel(self, job_id: str, attempt: int, event: Event) -> Cancellation:
        """End the job if no worker holds it, else ask its worker to stop."""
        data = event.dumps()
        script = Script.load("cancel")
        answer, id_ = script.run(
            self.redis, job_id, attempt, event.type, data, UNFINISHED_TTL_S, self.ended_ttl_s
        )
        if answer == b"running":
            self.redis.publish(CONTROL_CHANNEL, job_id)
        self._broadcast_one(job_id, id_, event.type, data)
        return Cancellation(answer.decode(), id_.decode())

    def advance(self, job_id: str, lost_attempt: int, event: Event) -> Advance:
        """Open the attempt after `lost_attempt` with a `retry`, or end the job with a terminal event."""
        data, terminal = event.dumps(), int(event.terminal)
        script = Script.load("advance")
        answer, id_ = script.run(
            self.redis, job_id, lost_attempt, event.type, data, UNFINISHED_TTL_S, self.ended_ttl_s, terminal
        )
        self._broadcast_one(job_id, id_, event.type, data)
        return Advance(answer.decode(), id_.decode())

    def states(self, job_ids: Sequence[str]) -> list[JobState | None]:
        """The states of many jobs in one round trip; None where Redis knows nothing of the job."""
        pipe = self.redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hmget(state_key(job_id), "attempt", "worker", "lease", "cancel", "ended")
        pipe.time()
        *rows, (seconds, micros) = pipe.execute()
        now_ms = seconds * 1000 + micros / 1000
        return [_job_state(row, now_ms) for row in rows]

    def _broadcast_one(self, job_id: str, id_: bytes, type_: str, data: str) -> bool:
        if id_:
            self.broadcast([LiveEntry(job_id, *EventId.parse(id_.decode()), type_, data)])
        return bool(id_)

    # --- both

    def read(self, job_id: str, after: EventId = BEGINNING) -> list[LogEntry]:
        """The events after an id, in order."""
        rows = self.redis.xrange(log_key(job_id), min=f"({after}" if after != BEGINNING else "-")
        return [LogEntry.read(raw_id, fields) for raw_id, fields in cast(list[Any], rows)]

    def broadcast(self, batch: Sequence[LiveEntry]) -> None:
        """Put events that are in their logs on the live streams, one entry a shard."""
        by_shard: dict[int, list[LiveEntry]] = {}
        for live in batch:
            by_shard.setdefault(shard_of(live.job_id, self.shards), []).append(live)
        pipe = self.redis.pipeline(transaction=False)
        for shard, entries in by_shard.items():
            pipe.xadd(live_key(shard), {"b": dump_live(entries)}, maxlen=LIVE_CAP, approximate=True)
        pipe.execute()

    def put_bytes(self, job_id: str, bytes_id: str, data: bytes, ttl_s: int) -> None:
        """Keep a file for `ttl_s` seconds."""
        self.redis.set(bytes_key(job_id, bytes_id), data, ex=ttl_s)

    def get_bytes(self, job_id: str, bytes_id: str) -> bytes | None:
        """The file, or None when it has moved or expired."""
        return cast(bytes | None, self.redis.get(bytes_key(job_id, bytes_id)))

    def drop_bytes(self, job_id: str, bytes_ids: Iterable[str]) -> None:
        """Forget files that are in storage now."""
        keys = [bytes_key(job_id, bytes_id) for bytes_id in bytes_ids]
        if keys:
            self.redis.unlink(*keys)

    def erase(self, job_id: str) -> None:
        """Forget the job: its events and its state. Its files have a time to live of their own."""
        self.redis.unlink(log_key(job_id), state_key(job_id))

    def trim_live(self) -> None:
        """Forget what was live some minutes ago: readers who are that late read the log."""
        seconds, _ = self.redis.time()
        for shard in range(self.shards):
            self.redis.xtrim(live_key(shard), minid=(seconds - LIVE_KEPT_S) * 1000, approximate=False)


def _job_state(row: Sequence[bytes | None], now_ms: float) -> JobState | None:
    attempt, worker, lease, cancel, ended = row
    if attempt is None:
        return None
    return JobState(
        attempt=int(attempt),
        claimed=bool(worker),
        leased=lease is not None and int(lease) > now_ms,
        cancel=cancel is not None,
        ended=ended.decode() if ended else None,
    )
