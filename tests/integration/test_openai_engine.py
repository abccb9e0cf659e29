"""The `openai` engine against a fake upstream on 127.0.0.1: real sockets, real threads, real time."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import openai
import pytest
import structlog
from PIL import Image

from benchmarks.fake_upstream import FakeUpstream, Script, Settings, read_tokens, running
from gpu_workers.contract.messages import ChatParams, ModelSpec, Turn, VoiceParams
from gpu_workers.engines.base import Chunk, DoneChunk, EngineError, Request, RestartChunk, Resume, TextChunk
from gpu_workers.engines.openai import OpenAIEngine, load

KEY = "sk-secret-0123456789abcdef"
FAST = {"retry_wait_s": 0.02, "retry_wait_max_s": 0.1}
Start = Callable[..., FakeUpstream]
Open = Callable[..., OpenAIEngine]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts fake upstreams: `start(fail_first=2, tokens=20)` takes fields of Settings and of Script."""
    with ExitStack() as stack:

        def started(**fields: Any) -> FakeUpstream:
            script = {"rate": 1000.0, "tokens": 20} | {
                n: v for n, v in fields.items() if n in Script.__slots__
            }
            settings = {n: v for n, v in fields.items() if n in Settings.__slots__}
            return stack.enter_context(running(Settings(Script(**script), **settings)))

        yield started


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens engines on an upstream or a URL; more arguments are options."""
    with ExitStack() as stack:

        def engine(at: FakeUpstream | str, **options: Any) -> OpenAIEngine:
            source = at if isinstance(at, str) else at.url
            spec = ModelSpec("far", "chat", "openai", source, options={"model": "fake"} | FAST | options)
            return stack.enter_context(closing(load(spec, lambda _step: None)))

        yield engine


def chat(text: str = "Hello", **params: Any) -> ChatParams:
    return ChatParams(messages=(Turn("user", text),), **params)


def chunks(engine: OpenAIEngine, request: Request) -> list[Chunk]:
    result = []
    for owner, chunk in engine.generate([request]):
        assert owner is request
        if isinstance(chunk, EngineError):
            raise chunk
        result.append(chunk)
    return result


def answer(engine: OpenAIEngine, params: ChatParams | None = None, **fields: Any) -> list[Chunk]:
    return chunks(engine, Request(params or chat(), **fields))


def text_of(given: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in given if isinstance(chunk, TextChunk))


def indices(text: str) -> list[int]:
    return [index for index, _ in read_tokens(text)]


def last(given: list[Chunk]) -> DoneChunk:
    assert isinstance(given[-1], DoneChunk)
    return given[-1]


def error_of(act: Callable[[], object]) -> EngineError:
    with pytest.raises(EngineError) as raised:
        act()
    return raised.value


def wait_until(claim: Callable[[], bool], within_s: float = 3.0) -> float:
    begun = time.monotonic()
    while not claim():
        assert time.monotonic() - begun < within_s, "it did not come about"
        time.sleep(0.005)
    return time.monotonic() - begun


def free_port_url() -> str:
    with running() as upstream:
        return upstream.url


# --- what comes through


def test_an_answer_has_all_its_tokens_in_order_and_counts_them(start: Start, opened: Open) -> None:
    given = answer(opened(start(tokens=30)))
    assert indices(text_of(given)) == list(range(30))
    assert last(given).finish_reason == "stop"
    assert last(given).usage["completion_tokens"] == 30
    assert "estimated" not in last(given).usage


def test_fifty_parallel_streams_stay_complete_and_apart(start: Start, opened: Open) -> None:
    engine = opened(start(rate=200.0, tokens=40))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: answer(engine), range(50)))
    assert [indices(text_of(given)) for given in answers] == [list(range(40))] * 50


def test_several_requests_in_one_call_end_each_by_itself(start: Start, opened: Open) -> None:
    engine = opened(start(tokens=10))
    requests = [Request(chat()) for _ in range(3)]
    given: dict[int, list[Any]] = {id(request): [] for request in requests}
    for owner, chunk in engine.generate(requests):
        given[id(owner)].append(chunk)
    assert [indices(text_of(each)) for each in given.values()] == [list(range(10))] * 3


def test_tokens_arrive_as_they_are_made(start: Start, opened: Open) -> None:
    delays = []
    for _, chunk in opened(start(rate=50.0, tokens=20)).generate([Request(chat())]):
        now = time.time()
        if isinstance(chunk, TextChunk):
            delays += [now - due for _, due in read_tokens(chunk.text)]
    assert len(delays) == 20
    assert sorted(delays)[10] < 0.1, "an answer held back to its end would be 0.2 s late"


def test_stream_to_gives_the_same_from_the_engines_own_thread(start: Start, opened: Open) -> None:
    engine, given, threads = opened(start(tokens=15)), [], set()

    def give(chunk: Chunk | EngineError) -> None:
        assert not isinstance(chunk, EngineError)
        given.append(chunk)
        threads.add(threading.current_thread().name)

    engine.stream_to(Request(chat()), give)
    assert indices(text_of(given)) == list(range(15))
    assert isinstance(given[-1], DoneChunk)
    assert threads == {"openai-far"}


def test_reasoning_comes_apart_from_the_answer_and_before_it(start: Start, opened: Open) -> None:
    given = [chunk for chunk in answer(opened(start(tokens=12, reasoning=5))) if isinstance(chunk, TextChunk)]
    assert indices("".join(chunk.reasoning for chunk in given)) == [0, 1, 2, 3, 4]
    assert indices("".join(chunk.text for chunk in given)) == [5, 6, 7, 8, 9, 10, 11]


def test_think_tags_in_the_text_are_taken_for_reasoning_where_the_option_says_so(
    start: Start, opened: Open
) -> None:
    upstream = start(tokens=12, reasoning=5, think_tags=True)
    given = [c for c in answer(opened(upstream, think_tags=True)) if isinstance(c, TextChunk)]
    assert indices("".join(chunk.reasoning for chunk in given)) == [0, 1, 2, 3, 4]
    assert "think>" not in "".join(chunk.reasoning + chunk.text for chunk in given)
    assert "<think>" in text_of(answer(opened(upstream)))


def test_usage_is_counted_here_where_the_server_does_not(start: Start, opened: Open) -> None:
    usage = last(answer(opened(start(tokens=25, sends_usage=False)))).usage
    assert usage["completion_tokens"] == 25
    assert usage["estimated"] is True


def test_the_body_has_what_was_asked_for_and_nothing_else(start: Start, opened: Open) -> None:
    upstream = start(tokens=1)
    upstream.keeps_bodies = True
    params = chat(
        temperature=0.0, top_p=0.9, top_k=5, repetition_penalty=1.1, seed=0, stop=("END",), max_tokens=9
    )
    answer(opened(upstream, sampling_extensions=["top_k"], extra={"priority": 3}), params)
    answer(opened(upstream, stream_usage=False))
    assert upstream.bodies[0] == {
        "model": "fake",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 0,
        "stop": ["END"],
        "priority": 3,
    }
    assert set(upstream.bodies[1]) == {"model", "messages", "stream", "max_tokens"}


def test_a_server_that_cannot_stream_is_read_too(start: Start, opened: Open) -> None:
    given = answer(opened(start(tokens=10, reasoning=4, streams=False)))
    assert indices(text_of(given)) == [4, 5, 6, 7, 8, 9]
    assert last(given).usage["completion_tokens"] == 10


def test_a_limit_reached_is_said(start: Start, opened: Open) -> None:
    given = answer(opened(start(tokens=20)), chat(max_tokens=5))
    assert indices(text_of(given)) == [0, 1, 2, 3, 4]
    assert last(given).finish_reason == "length"


# --- going on after an earlier attempt


@pytest.mark.parametrize("way", ["deepseek_prefix", "vllm_continue"])
def test_a_partial_answer_is_continued_without_a_gap_or_a_repeat(
    start: Start, opened: Open, way: str
) -> None:
    upstream = start(tokens=20)
    engine = opened(upstream, supports_continue=way)
    whole = text_of(answer(engine))
    before = whole[: whole.index(" 8@") + 1]
    upstream.keeps_bodies = True
    given = answer(engine, resume=Resume(text=before, reasoning="hm"))
    assert indices(before + text_of(given)) == list(range(20))
    assert not any(isinstance(chunk, RestartChunk) for chunk in given)
    assert upstream.bodies[0]["messages"][-1]["content"] == before
    assert upstream.bodies[0]["max_tokens"] < 1024


def test_the_rest_of_an_answer_is_not_taken_for_reasoning(start: Start, opened: Open) -> None:
    engine = opened(start(tokens=12, reasoning=12), supports_continue="vllm_continue")
    given = answer(engine, resume=Resume(text="7@1.000000 "))
    assert indices(text_of(given)) == [8, 9, 10, 11]


@pytest.mark.parametrize(
    ("options", "resume"),
    [
        ({}, Resume(text="0@1.000000 ")),
        ({"supports_continue": "vllm_continue"}, Resume(reasoning="still thinking")),
    ],
)
def test_where_nothing_can_be_continued_it_says_so_and_starts_again(
    start: Start, opened: Open, options: dict[str, str], resume: Resume
) -> None:
    given = answer(opened(start(tokens=6), **options), resume=resume)
    assert given[0] == RestartChunk()
    assert indices(text_of(given)) == list(range(6))
    assert last(given).usage["completion_tokens"] == 6


def test_an_answer_that_had_all_its_tokens_is_not_asked_for_again(start: Start, opened: Open) -> None:
    upstream = start()
    engine = opened(upstream, supports_continue="vllm_continue")
    given = answer(engine, chat(max_tokens=2), resume=Resume(text="two words or more"))
    assert [type(chunk) for chunk in given] == [DoneChunk]
    assert last(given).finish_reason == "length"
    assert upstream.counters.requests == 0


def test_a_stream_that_breaks_is_continued_where_the_server_can(start: Start, opened: Open) -> None:
    upstream = start(tokens=20, break_after=8)
    given = answer(opened(upstream, supports_continue="deepseek_prefix"))
    assert indices(text_of(given)) == list(range(20))
    assert upstream.counters.requests == 3
    assert last(given).usage["completion_tokens"] == 20


@pytest.mark.parametrize("fault", [{"break_after": 8}, {"error_after": 8}])
def test_a_stream_that_breaks_is_a_retryable_error_elsewhere(
    start: Start, opened: Open, fault: dict[str, int]
) -> None:
    engine, given = opened(start(tokens=20, **fault)), []
    for _, chunk in engine.generate([Request(chat())]):
        given.append(chunk)
    error = given[-1]
    assert isinstance(error, EngineError)
    assert (error.code, error.retryable) == ("upstream_broken", True)
    assert indices(text_of([c for c in given if isinstance(c, TextChunk)])) == list(range(8))


# --- retries, breaker, standby


def test_a_busy_server_is_asked_again_after_as_long_as_it_says(start: Start, opened: Open) -> None:
    upstream = start(tokens=3, fail_first=1, fail_status=429, retry_after="0.4")
    engine, begun = opened(upstream), time.monotonic()
    assert indices(text_of(answer(engine))) == [0, 1, 2]
    assert 0.4 <= time.monotonic() - begun < 2.0
    assert upstream.counters.requests == 2


def test_a_conversation_that_is_too_long_loses_its_oldest_turns_where_the_job_allows_it(
    start: Start, opened: Open
) -> None:
    upstream = start(tokens=3, most_messages=4)
    upstream.keeps_bodies = True
    engine = opened(upstream, breaker_failures=1)
    said = [Turn("system", "Be brief."), *(Turn(("user", "assistant")[n % 2], str(n)) for n in range(9))]
    refused = error_of(lambda: answer(engine, ChatParams(messages=tuple(said))))
    assert refused.code == "context_too_long"
    assert "maximum context length" in refused.message
    given = answer(engine, ChatParams(messages=tuple(said), truncation="auto"))
    assert indices(text_of(given)) == [0, 1, 2]
    read = [[turn["content"] for turn in body["messages"]] for body in upstream.bodies]
    assert read[-1] == ["Be brief.", "6", "7", "8"]
    assert last(given).usage["dropped_turns"] == 6
    one = answer(opened(start(tokens=3, most_messages=1)), chat(truncation="auto"))
    assert "dropped_turns" not in last(one).usage
    hopeless = error_of(lambda: answer(opened(start(most_messages=0)), chat(truncation="auto")))
    assert hopeless.code == "context_too_long"


def test_a_server_that_asks_for_too_long_a_wait_is_given_up_on_at_once(start: Start, opened: Open) -> None:
    upstream = start(fail_first=9, fail_status=429, retry_after="600")
    error = error_of(lambda: answer(opened(upstream)))
    assert (error.code, error.retryable) == ("upstream_busy", True)
    assert "600 s" in error.message
    assert upstream.counters.requests == 1


def test_server_errors_are_tried_again(start: Start, opened: Open) -> None:
    upstream = start(tokens=3, fail_first=3, fail_status=502)
    assert indices(text_of(answer(opened(upstream)))) == [0, 1, 2]
    assert upstream.counters.requests == 4


def test_the_breaker_opens_after_five_failures_and_closes_when_the_server_is_back(
    start: Start, opened: Open
) -> None:
    upstream = start(tokens=3, fail_first=5)
    engine = opened(upstream, attempts=5, breaker_pause_s=0.5)
    assert error_of(lambda: answer(engine)).code == "upstream_unavailable"
    refused = error_of(lambda: answer(engine))
    assert (refused.code, refused.retryable) == ("upstream_unavailable", True)
    assert "5 times in a row" in refused.message
    assert upstream.counters.requests == 5, "an open breaker lets nothing through"
    time.sleep(0.55)
    assert indices(text_of(answer(engine))) == [0, 1, 2]
    assert indices(text_of(answer(engine))) == [0, 1, 2]


def test_after_the_pause_one_request_probes_and_the_others_do_not_wait_for_it(
    start: Start, opened: Open
) -> None:
    upstream = start(tokens=3, fail_first=2, first_delay_s=0.5)
    engine = opened(upstream, attempts=2, breaker_failures=2, breaker_pause_s=0.2)
    error_of(lambda: answer(engine))
    time.sleep(0.25)
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(answer, engine)
        wait_until(lambda: upstream.counters.open == 1)
        assert error_of(lambda: answer(engine)).code == "upstream_unavailable"
        assert indices(text_of(probe.result())) == [0, 1, 2]
    assert upstream.counters.requests == 3


def test_refusals_do_not_open_the_breaker(start: Start, opened: Open) -> None:
    upstream = start(tokens=3, fail_first=4, fail_status=400)
    engine = opened(upstream, breaker_failures=1)
    for _ in range(4):
        assert error_of(lambda: answer(engine)).code == "upstream_refused"
    assert indices(text_of(answer(engine))) == [0, 1, 2]


def test_the_standby_takes_over_with_its_own_model_and_without_the_others_key(
    start: Start, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    first, second = start(fail_first=99), start(tokens=4, api_key="")
    second.keeps_bodies = True
    engine = opened(first, api_key_env="FAR_KEY", standby=second.url, standby_model="other", attempts=5)
    assert indices(text_of(answer(engine))) == [0, 1, 2, 3]
    assert second.bodies[0]["model"] == "other"
    asked = first.counters.requests
    assert indices(text_of(answer(engine))) == [0, 1, 2, 3]
    assert first.counters.requests == asked, "the first server's breaker is open by now"


def test_the_standby_takes_over_from_a_server_that_is_not_there(start: Start, opened: Open) -> None:
    engine = opened(free_port_url(), standby=start(tokens=4).url, attempts=1)
    assert indices(text_of(answer(engine))) == [0, 1, 2, 3]


def test_when_both_fail_the_message_names_both(opened: Open) -> None:
    first, second = free_port_url(), free_port_url()
    error = error_of(lambda: answer(opened(first, standby=second, attempts=1)))
    assert error.retryable
    for url in (first, second):
        assert f"The server {url.split('/')[2]} cannot be reached" in error.message


# --- stopping and waiting


@pytest.mark.parametrize("script", [{"rate": 20.0, "tokens": 1000}, {"hang_after": 3}, {"hang": True}])
def test_stop_closes_the_connection_even_while_nothing_comes(
    start: Start, opened: Open, script: dict[str, Any]
) -> None:
    upstream, stop = start(**script), threading.Event()
    engine = opened(upstream)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(chunks, engine, Request(chat(), stop.is_set))
        wait_until(lambda: upstream.counters.open == 1)
        time.sleep(0.2)
        stop.set()
        took = wait_until(lambda: upstream.counters.aborted == 1)
        given = job.result(timeout=1)
    assert took < 0.5
    assert not any(isinstance(chunk, DoneChunk) for chunk in given)


def test_a_stopped_job_yields_nothing_more(start: Start, opened: Open) -> None:
    stop = threading.Event()
    stream = opened(start(rate=500.0, tokens=1000)).generate([Request(chat(), stop.is_set)])
    next(stream)
    time.sleep(0.1)
    stop.set()
    assert list(stream) == []


def test_stop_works_while_waiting_for_the_next_try(start: Start, opened: Open) -> None:
    stop = threading.Event()
    engine = opened(start(fail_first=9, fail_status=429, retry_after="15"))
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()
    assert chunks(engine, Request(chat(), stop.is_set)) == []
    assert time.monotonic() - begun < 1.0


def test_a_reader_that_leaves_closes_the_connection(start: Start, opened: Open) -> None:
    upstream = start(rate=20.0, tokens=1000)
    stream = opened(upstream).generate([Request(chat())])
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator, as every engine's
    wait_until(lambda: upstream.counters.aborted == 1)


def test_closing_the_engine_leaves_no_thread_and_no_connection(start: Start, opened: Open) -> None:
    upstream = start(tokens=2)
    engine = opened(upstream)
    answer(engine)
    engine.close()
    assert "openai-far" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ({"hang": True}, "gave no first token within 0.3 s."),
        ({"first_delay_s": 5.0}, "gave no first token within 0.3 s."),
        ({"hang_after": 4}, "fell silent for 0.25 s within the answer."),
    ],
)
def test_silence_is_ended_by_a_timeout(
    start: Start, opened: Open, script: dict[str, Any], sentence: str
) -> None:
    upstream = start(**script)
    engine = opened(upstream, attempts=1, first_token_timeout_s=0.3, idle_timeout_s=0.25)
    error = error_of(lambda: answer(engine))
    assert (error.code, error.retryable) == ("upstream_timeout", True)
    assert error.message.endswith(sentence)
    wait_until(lambda: upstream.counters.aborted == 1)


def test_a_timeout_before_the_first_token_is_tried_again(start: Start, opened: Open) -> None:
    upstream = start(tokens=3, first_delay_s=0.6)
    engine = opened(upstream, attempts=3, first_token_timeout_s=0.2)
    threading.Timer(0.3, lambda: setattr(upstream.settings, "script", Script(rate=1000.0, tokens=3))).start()
    assert indices(text_of(answer(engine))) == [0, 1, 2]
    assert upstream.counters.requests >= 2


# --- what people read


def test_a_refusal_repeats_the_servers_words_and_never_the_key(
    start: Start, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    with structlog.testing.capture_logs() as logs:
        engine = opened(start(api_key="another"), api_key_env="FAR_KEY")
        error = error_of(lambda: answer(engine))
    assert (error.code, error.retryable) == ("upstream_denied", False)
    assert "Incorrect API key provided: [key]" in error.message
    assert KEY not in error.message + repr(error) + str(logs) + repr(vars(engine))


def test_the_key_is_sent_and_can_come_from_a_file(
    start: Start, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("FAR_KEY_FILE", str(tmp_path / "key"))
    assert indices(text_of(answer(opened(start(tokens=2, api_key=KEY), api_key_env="FAR_KEY")))) == [0, 1]


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        (
            "ftp://x/v1",
            {},
            "needs a base URL such as http://127.0.0.1:8000/v1 as its source, not 'ftp://x/v1'",
        ),
        ("http://u:p@x/v1", {}, "has a user, password or query in its source"),
        ("http://x/v1", {"model": ""}, "does not say what the model is called"),
        ("http://x/v1", {"api_key_env": KEY}, "never the key itself"),
        ("http://x/v1", {"idle_timeout": 3}, "unknown option 'idle_timeout'"),
        ("http://x/v1", {"idle_timeout_s": "3"}, "has idle_timeout_s '3'; it must be a number of seconds"),
        ("http://x/v1", {"attempts": 0}, "has attempts 0; it must be a whole number from 1"),
        ("http://x/v1", {"supports_continue": "yes"}, "known: deepseek_prefix, vllm_continue"),
        ("http://x/v1", {"sampling_extensions": ["min_p"]}, "must list some of top_k, repetition_penalty"),
        ("http://x/v1", {"extra": {"stream": False}}, "sets 'stream' in `extra`"),
        ("http://x/v1", {"standby": "nowhere"}, "as its standby, not 'nowhere'"),
    ],
)
def test_a_wrong_entry_is_refused_when_it_loads(source: str, options: dict[str, Any], sentence: str) -> None:
    spec = ModelSpec("far", "chat", "openai", source, options={"model": "m"} | options)
    error = error_of(lambda: load(spec, lambda _step: None))
    assert error.code == "bad_options"
    assert sentence in error.message
    assert KEY not in error.message


def test_a_missing_key_is_said_when_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAR_KEY", raising=False)
    spec = ModelSpec("far", "chat", "openai", "http://x/v1", options={"model": "m", "api_key_env": "FAR_KEY"})
    error = error_of(lambda: load(spec, lambda _step: None))
    assert error.code == "missing_key"
    assert "Set FAR_KEY or FAR_KEY_FILE" in error.message


def test_an_unreachable_server_is_named(opened: Open) -> None:
    url = free_port_url()
    error = error_of(lambda: answer(opened(url, attempts=2)))
    assert (error.code, error.retryable) == ("upstream_unavailable", True)
    assert error.message == f"The server {url.split('/')[2]} cannot be reached: Connection refused."


def test_proxies_of_the_environment_are_left_alone(
    start: Start, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = free_port_url()
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    upstream = start(tokens=2)
    assert indices(text_of(answer(opened(upstream)))) == [0, 1]
    assert (
        error_of(lambda: answer(opened(upstream, trust_env=True, attempts=1))).code == "upstream_unavailable"
    )


def test_other_media_are_refused(opened: Open) -> None:
    request = Request(VoiceParams(text="hi"))
    assert error_of(lambda: chunks(opened("http://127.0.0.1:9/v1"), request)).code == "bad_params"


# --- pictures


def picture(size: tuple[int, int], form: str = "PNG", **options: Any) -> bytes:
    """Red on the left, blue on the right."""
    drawn = Image.new("RGB", size, "red")
    drawn.paste("blue", (size[0] // 2, 0, size[0], size[1]))
    file = BytesIO()
    drawn.save(file, form, **options)
    return file.getvalue()


def shown_to(upstream: FakeUpstream, engine: OpenAIEngine, data: bytes, text: str = "What?") -> list[Any]:
    """The parts of the question as the server got them."""
    upstream.keeps_bodies = True
    turn = Turn("user", text, images=("messages.0.images.0",))
    answer(engine, ChatParams((turn,)), attachments={"messages.0.images.0": data})
    return list(upstream.bodies[-1]["messages"][0]["content"])


def decoded(part: Any) -> tuple[str, bytes]:
    media_type, _, code = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
    return media_type, base64.b64decode(code)


def test_a_picture_reaches_the_server_as_it_is(start: Start, opened: Open) -> None:
    upstream, data = start(tokens=1), picture((40, 20))
    engine = opened(upstream, vision=True)
    text, part = shown_to(upstream, engine, data)
    assert text == {"type": "text", "text": "What?"}
    assert decoded(part) == ("image/png", data)
    (part,) = shown_to(upstream, engine, data, text="")
    assert part["type"] == "image_url"


def test_a_large_picture_is_made_smaller_and_one_on_its_side_is_turned(start: Start, opened: Open) -> None:
    upstream = start(tokens=1)
    engine = opened(upstream, vision=True)
    media_type, data = decoded(shown_to(upstream, engine, picture((4000, 100)))[1])
    assert (media_type, Image.open(BytesIO(data)).size) == ("image/jpeg", (2048, 51))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    _, data = decoded(shown_to(upstream, engine, picture((40, 20), "JPEG", exif=exif))[1])
    upright = Image.open(BytesIO(data))
    assert upright.size == (20, 40)
    red, _, blue = upright.getpixel((10, 2))  # type: ignore[misc]  # a colour of three parts
    assert red > 200
    assert blue < 50


def test_what_is_no_picture_is_the_jobs_own_failure(start: Start, opened: Open) -> None:
    upstream = start(tokens=1)
    engine = opened(upstream, vision=True)
    error = error_of(lambda: shown_to(upstream, engine, b"GIF89a nothing"))
    assert (error.code, error.retryable) == ("bad_image", False)
    assert upstream.counters.requests == 0


# --- the fake itself


def test_the_fake_upstream_is_openai_shaped(start: Start) -> None:
    upstream = start(tokens=6, reasoning=2, rate=500.0)
    with openai.OpenAI(base_url=upstream.url, api_key="x", max_retries=0) as client:
        assert "fake-50x400" in [model.id for model in client.models.list()]
        messages: Any = [{"role": "user", "content": "hi"}]
        whole = client.chat.completions.create(model="fake-500x6", messages=messages)
        assert indices(whole.choices[0].message.content or "") == [2, 3, 4, 5]
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 6
        events = list(
            client.chat.completions.create(
                model="fake-500x6", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        )
    text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert indices(text) == [2, 3, 4, 5]
    assert events[-1].usage is not None
    assert [e.choices[0].finish_reason for e in events if e.choices][-1] == "stop"


def test_the_fake_upstream_keeps_its_absolute_schedule(start: Start, opened: Open) -> None:
    tokens = read_tokens(text_of(answer(opened(start(tokens=50, rate=100.0)))))
    gaps = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(tokens)]
    assert all(abs(gap - 0.01) < 0.0005 for gap in gaps)
