"""The job log on a real Redis: who may write, and what a crash may cost (nothing)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from deploy.local.redis_server import RedisServer
from gpu_workers.contract.events import (
    Cancelled,
    Delta,
    EventId,
    Failed,
    Finished,
    Queued,
    Retry,
    fold,
)
from gpu_workers.contract.job_log import JobLog, live_key, load_live, log_key, state_key
from gpu_workers.publish import Outbox, Publisher


@pytest.fixture
def redis(run_redis: RedisServer) -> Redis:
    return Redis.from_url(run_redis.url)


@pytest.fixture
def log(redis: Redis) -> JobLog:
    return JobLog(redis, cap=100)


@pytest.fixture
def publisher(redis: Redis, log: JobLog) -> Iterator[Publisher]:
    publisher = Publisher(redis, log)
    publisher.start()
    yield publisher
    publisher.close()


def begin(log: JobLog, publisher: Publisher, job: str = "job", attempt: int = 1, worker: str = "w") -> Outbox:
    claim = log.claim(job, attempt, worker, "m")
    assert claim.answer == "ok"
    return publisher.open(job, attempt, worker, claim.number)


def text_of(log: JobLog, job: str = "job") -> str:
    return fold(entry.event for entry in log.read(job)).text


def wait_for_text(log: JobLog, text: str, job: str = "job") -> None:
    deadline = time.monotonic() + 5
    while text_of(log, job) != text:
        assert time.monotonic() < deadline, (text_of(log, job), text)
        time.sleep(0.01)


def test_one_worker_claims_and_a_copy_of_the_message_does_nothing(log: JobLog) -> None:
    assert log.claim("job", 1, "a", "m").answer == "ok"
    assert log.claim("job", 1, "b", "m").answer == "taken"
    assert log.release("job", 1, "a")
    assert log.claim("job", 1, "b", "m").answer == "spent"


def test_an_old_attempt_neither_claims_nor_writes(log: JobLog, publisher: Publisher) -> None:
    old = begin(log, publisher, worker="slow")
    log.release("job", 1, "slow")
    assert log.advance("job", 1, Retry(2, "here")).answer == "ok"
    assert log.claim("job", 1, "slow", "m").answer == "stale"
    new = begin(log, publisher, attempt=2, worker="quick")
    publisher.emit(old, Delta(text="late"))
    publisher.emit(new, Delta(text="right"))
    wait_for_text(log, "right")
    assert old.lost.wait(5)
    assert not new.lost.is_set()


def test_nothing_is_written_after_the_end(log: JobLog, publisher: Publisher) -> None:
    outbox = begin(log, publisher)
    publisher.emit(outbox, Finished())
    assert outbox.ended.wait(5)
    publisher.emit(outbox, Delta(text="more"))
    assert outbox.lost.wait(5)
    assert [entry.type for entry in log.read("job")] == ["started", "finished"]
    assert log.cancel("job", 1, Cancelled()).answer == "ended"
    assert log.advance("job", 1, Failed("c", "m")).answer == "ended"


def test_a_waiting_job_is_cancelled_at_once_and_cannot_be_claimed(log: JobLog) -> None:
    assert log.note("job", 1, Queued(1, 0.0))
    assert log.cancel("job", 1, Cancelled()).answer == "cancelled"
    assert log.claim("job", 1, "w", "m").answer == "ended"


def test_a_running_job_is_asked_to_stop_and_its_next_attempt_is_not_opened(log: JobLog) -> None:
    log.claim("job", 1, "w", "m")
    assert log.cancel("job", 1, Cancelled()).answer == "running"
    assert log.advance("job", 1, Retry(2, "here")).answer == "leased"
    log.release("job", 1, "w")
    assert log.advance("job", 1, Retry(2, "here")).answer == "cancel"


def test_two_sweeps_open_one_attempt(log: JobLog) -> None:
    log.claim("job", 1, "w", "m")
    log.release("job", 1, "w")
    assert log.advance("job", 1, Retry(2, "here")).answer == "ok"
    assert log.advance("job", 1, Retry(2, "here")).answer == "moved"
    assert [entry.type for entry in log.read("job")] == ["started", "retry"]


def test_a_waiting_job_hears_its_place_until_it_is_claimed(log: JobLog) -> None:
    assert log.note("job", 1, Queued(2, None))
    log.claim("job", 1, "w", "m")
    assert not log.note("job", 1, Queued(1, None))


def test_events_are_numbered_without_a_gap_and_live_as_they_are_logged(
    log: JobLog, publisher: Publisher, redis: Redis
) -> None:
    outbox = begin(log, publisher)
    for n in range(50):
        publisher.emit(outbox, Delta(text=f"{n} "))
        time.sleep(0.002)
    publisher.emit(outbox, Finished())
    assert outbox.ended.wait(5)
    time.sleep(0.05)
    entries = log.read("job")
    assert [entry.id for entry in entries] == [EventId(1, n + 1) for n in range(len(entries))]
    batches: Any = redis.xrange(live_key(0))
    live = [item for _, fields in batches for item in load_live(fields[b"b"], {"job"})]
    assert live == [("job", entry) for entry in entries]
    assert not [item for _, fields in batches for item in load_live(fields[b"b"], {"another"})]


def test_a_long_log_is_compacted_and_any_late_reader_gets_the_whole_text(
    log: JobLog, publisher: Publisher
) -> None:
    outbox = begin(log, publisher)
    expected, seen = "", {}
    for n in range(400):
        expected += f"{n} "
        publisher.emit(outbox, Delta(text=f"{n} ", reasoning="r" if n < 5 else None))
        time.sleep(0.0015)
        if n in (0, 20, 200):
            wait_for_text(log, expected)
            entries = log.read("job")
            seen[entries[-1].id] = entries
    publisher.emit(outbox, Finished())
    assert outbox.ended.wait(5)
    entries = log.read("job")
    assert len(entries) <= 101
    assert entries[0].type == "started"
    assert text_of(log) == expected
    for last, before in seen.items():
        rejoined = fold([entry.event for entry in before] + [entry.event for entry in log.read("job", last)])
        assert (rejoined.text, rejoined.reasoning, rejoined.status) == (expected, "r" * 5, "succeeded")


def test_a_log_that_lost_its_last_second_is_filled_up_again(
    log: JobLog, publisher: Publisher, redis: Redis
) -> None:
    outbox = begin(log, publisher)
    for n in range(10):
        publisher.emit(outbox, Delta(text=str(n)))
        wait_for_text(log, "0123456789"[: n + 1])
    entries = log.read("job")
    redis.delete(log_key("job"))  # Redis comes back as it was some events ago
    for entry in entries[:4]:
        redis.xadd(log_key("job"), {"t": entry.type, "d": entry.data}, id=str(entry.id))
    redis.hset(state_key("job"), "number", 4)
    publisher.emit(outbox, Delta(text="x"))
    wait_for_text(log, "0123456789x")
    assert not outbox.lost.is_set()


def test_a_killed_redis_costs_no_event(log: JobLog, publisher: Publisher, run_redis: RedisServer) -> None:
    outbox = begin(log, publisher)
    publisher.emit(outbox, Delta(text="before "))
    wait_for_text(log, "before ")
    run_redis.kill()
    for word in ("while ", "it ", "was ", "away "):
        publisher.emit(outbox, Delta(text=word))
    time.sleep(0.3)
    run_redis.restart()
    publisher.emit(outbox, Delta(text="after"))
    wait_for_text(log, "before while it was away after")


def test_an_empty_redis_ends_the_attempt(log: JobLog, publisher: Publisher, redis: Redis) -> None:
    outbox = begin(log, publisher)
    redis.flushall()
    publisher.emit(outbox, Delta(text="x"))
    assert outbox.lost.wait(5)
    assert log.states(["job"]) == [None]
    assert log.advance("job", 1, Retry(2, "start")).answer == "ok"
    assert log.claim("job", 2, "w", "m").answer == "ok"


def test_bytes_expire_and_can_be_dropped(log: JobLog, redis: Redis) -> None:
    log.put_bytes("job", "a", b"1", 60)
    log.put_bytes("job", "b", b"2", 1)
    assert log.get_bytes("job", "a") == b"1"
    log.drop_bytes("job", ["a"])
    time.sleep(1.1)
    assert log.get_bytes("job", "a") is log.get_bytes("job", "b") is None
    assert redis.keys("*bytes*") == []


def test_an_erased_job_leaves_nothing_on_the_live_streams_after_some_minutes(
    log: JobLog, redis: Redis, publisher: Publisher
) -> None:
    outbox = begin(log, publisher)
    publisher.emit(outbox, Delta(text="old words"))
    wait_for_text(log, "old words")
    old = int((time.time() - 600) * 1000)
    entries: Any = redis.xrange(live_key(0))
    batches = [fields for _, fields in entries]
    redis.delete(live_key(0))
    for number, fields in enumerate(batches):
        redis.xadd(live_key(0), fields, id=f"{old + number}-0")
    publisher.emit(outbox, Delta(text=" and new"))
    wait_for_text(log, "old words and new")
    log.erase("job")
    log.trim_live()
    entries = redis.xrange(live_key(0))
    left = b"".join(fields[b"b"] for _, fields in entries)
    assert b"old words" not in left
    assert b" and new" in left
    assert not redis.exists(log_key("job"), state_key("job"))
