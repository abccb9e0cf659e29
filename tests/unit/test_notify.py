"""One message to the web side for all jobs that changed since the last one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gpu_workers.notify import JOBS_MAX, Notifier


class Broker:
    """Keeps what was sent; `hold` makes it slow, `fails` makes it fail so often."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.arrived = threading.Semaphore(0)
        self.hold = threading.Event()
        self.hold.set()
        self.fails = 0

    def send(self, job_ids: list[str]) -> None:
        self.hold.wait(5)
        if self.fails:
            self.fails -= 1
            self.arrived.release()
            raise ConnectionError("the broker is away")
        self.sent.append(job_ids)
        self.arrived.release()

    def wait(self) -> None:
        assert self.arrived.acquire(timeout=5)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def notifier(broker: Broker) -> Iterator[Notifier]:
    notifier = Notifier(broker.send)
    notifier.start()
    yield notifier
    broker.hold.set()
    notifier.close()


def test_one_job_is_told_at_once(broker: Broker, notifier: Notifier) -> None:
    notifier.tell("a")
    broker.wait()
    assert broker.sent == [["a"]]


def test_what_changes_while_a_message_is_sent_goes_together_and_each_job_once(
    broker: Broker, notifier: Notifier
) -> None:
    broker.hold.clear()
    notifier.tell("a")
    for job_id in ("b", "c", "b"):
        notifier.tell(job_id)
    broker.hold.set()
    notifier.close()
    told = [job_id for message in broker.sent for job_id in message]
    assert sorted(set(told)) == ["a", "b", "c"]
    assert len(broker.sent) <= 2


def test_a_message_names_a_bounded_number_of_jobs(broker: Broker, notifier: Notifier) -> None:
    broker.hold.clear()
    ids = [str(n) for n in range(2 * JOBS_MAX + 1)]
    for job_id in ids:
        notifier.tell(job_id)
    broker.hold.set()
    notifier.close()
    assert [job_id for message in broker.sent for job_id in message] == ids
    assert max(map(len, broker.sent)) <= JOBS_MAX


def test_a_broker_that_is_away_costs_the_message_and_nothing_else(broker: Broker, notifier: Notifier) -> None:
    broker.fails = 1
    notifier.tell("a")
    broker.wait()
    notifier.tell("b")
    broker.wait()
    assert broker.sent == [["b"]]


def test_close_sends_what_waits(broker: Broker) -> None:
    notifier = Notifier(broker.send)
    notifier.tell("a")
    notifier.start()
    notifier.close()
    assert broker.sent == [["a"]]
