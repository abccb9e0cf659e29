"""What tests share: a Redis of this test run, the stack of processes, and clients for its people."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator

import aiohttp
import pytest
from redis import Redis

from deploy.local.redis_server import RedisServer
from tests import environment
from tests.client import Client
from tests.stack import PASSWORD, PEOPLE, Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow starts first, so that two workers end together."""
    items.sort(key=lambda item: "processes" not in item.keywords)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every part is installed, a skipped test has failed."""
    report = yield
    if report.skipped and os.environ.get("AIGC_TEST_FORBID_SKIPS"):
        report.outcome = "failed"
    return report


@pytest.fixture
def run_redis() -> RedisServer:
    """The run's Redis, emptied."""
    Redis.from_url(environment.run_redis.url).flushall()
    return environment.run_redis


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of each process; tests may kill what they like, `stack` heals it for the next."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start_all()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(running_stack: Stack) -> Iterator[Stack]:
    """The running stack, everything alive before and after."""
    running_stack.heal()
    yield running_stack
    running_stack.heal()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that ends with the test."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def ada(stack: Stack, http: aiohttp.ClientSession) -> Client:
    """The first of three people."""
    return Client(http, stack.url(), stack.keys["ada"])


@pytest.fixture
def grace(stack: Stack, http: aiohttp.ClientSession) -> Client:
    """The second, of another workspace."""
    return Client(http, stack.url(), stack.keys["grace"])


@pytest.fixture
def stranger(stack: Stack, http: aiohttp.ClientSession) -> Client:
    """Nobody who is signed in."""
    return Client(http, stack.url(), None)


@pytest.fixture
def studio(stack: Stack) -> str:
    """The base URL of the running product, its page built."""
    return stack.url()


@pytest.fixture
def studio_admin() -> tuple[str, str]:
    """Email and password of somebody who may use the studio."""
    return PEOPLE[0], PASSWORD
