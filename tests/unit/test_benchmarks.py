"""The arithmetic of the benchmarks: what they count must be what happened."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from benchmarks import engine_alone, job_client
from benchmarks.engines import Case, Rates, added_up, cases, chats, rate, row_of
from benchmarks.fake_upstream import Script, token_text
from benchmarks.figures import Figures, cpu_per_100k, figures, lost, percentile, read, repeated
from benchmarks.job_client import JobFailed
from benchmarks.latency import Waits, rows_of
from benchmarks.open_webui_shape import event_text
from benchmarks.peers import PeerEnvironment
from benchmarks.processes import Cost, cpu_s, sampling, unread_mb, wait_until_quiet
from benchmarks.product import environment
from benchmarks.report import Bar, Row, ratio, table, write_json
from benchmarks.shapes import Load, Record
from benchmarks.sizes import FULL, QUICK
from benchmarks.streams import Contestant, against, lost_and_repeated, middle, own_cpu
from benchmarks.studio import files_of
from gpu_workers.contract.messages import ChatParams, Turn
from gpu_workers.engines.base import Chunk, DoneChunk, EngineError, FileChunk, Request, TextChunk


def socket_record(*events: tuple[float, dict[str, object]]) -> Record:
    """What our WebSocket gave, asked for at second 100."""
    record = Record(asked_at=100.0)
    for at, data in events:
        frame = {"op": "event", "job": "j", "id": "1-1", "type": "any", "data": data}
        record.pieces.append((at, json.dumps(frame).encode()))
    return record


def token(index: int, due: float = 100.0) -> str:
    return token_text(index, due)


def some_figures(**values: object) -> Figures:
    load = Load("websocket", "http://x", "m", streams=1, tokens=2)
    record = socket_record((100.5, {"text": token(0) + token(1)}))
    return replace(figures(load, [record], 1.0, {}), **values)  # type: ignore[arg-type]


# --- percentiles


@pytest.mark.parametrize(
    ("percent", "expected"), [(0.5, 1.0), (1, 2.0), (50, 100.0), (99, 198.0), (99.5, 199.0), (100, 200.0)]
)
def test_percentiles_of_two_hundred_values(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 201)], percent) == expected


def test_a_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 99))
    assert percentile([7.0], 1) == percentile([7.0], 99) == 7.0


# --- tokens lost and repeated


def test_lost_are_the_tokens_that_never_came_whatever_else_did() -> None:
    assert lost([0, 1, 2], 3) == 0
    assert lost([0, 0, 2, 2, 9], 4) == 2
    assert lost([], 5) == 5


def test_each_repeat_counts() -> None:
    assert repeated([0, 1, 2]) == 0
    assert repeated([0, 1, 1, 1, 2, 0]) == 3


def test_a_loss_in_one_stream_is_not_made_up_by_a_repeat_in_another() -> None:
    load = Load("websocket", "http://x", "m", streams=2, tokens=2)
    records = [
        socket_record((101.0, {"text": token(0)})),
        socket_record((101.0, {"text": token(0) + token(1) + token(1)})),
    ]
    found = figures(load, records, 1.0, {})
    assert (found.tokens, found.lost, found.repeated) == (4, 1, 1)


@pytest.mark.parametrize("reset", [{"attempt": 2, "from": "start"}, {"text": "", "whole": True}])
def test_a_reader_that_is_told_to_clear_has_only_what_comes_after(reset: dict[str, object]) -> None:
    before: dict[str, object] = {"text": token(0) + token(1)}
    after: dict[str, object] = {"text": token(1)}
    reading = read("websocket", socket_record((101.0, before), (102.0, reset), (103.0, after)))
    assert reading.indices == [1]
    assert reading.delays_s == [1.0, 1.0]  # the second coming of a token is no delay


def test_a_retry_from_here_clears_nothing() -> None:
    retry: dict[str, object] = {"attempt": 2, "from": "here"}
    reading = read("websocket", socket_record((101.0, {"text": token(0)}), (102.0, retry)))
    assert reading.indices == [0]
    assert reading.started_s is None  # a retry is not a start


def test_a_token_cut_over_two_events_has_come_when_its_end_has() -> None:
    whole = token(12)
    reading = read(
        "websocket", socket_record((101.0, {"text": whole[:4]}), (103.0, {"reasoning": whole[4:]}))
    )
    assert (reading.indices, reading.delays_s, reading.first_s) == ([12], [3.0], 3.0)


def test_the_start_is_the_first_started_event() -> None:
    started: dict[str, object] = {"attempt": 1, "model": "m"}
    queued: dict[str, object] = {"position": 1}
    reading = read("websocket", socket_record((100.5, queued), (100.75, started), (102.0, started)))
    assert reading.started_s == 0.75


# --- Open WebUI's events


def webui_record(*events: tuple[float, str, dict[str, object]]) -> Record:
    record = Record(asked_at=100.0, pieces=[(100.0, b'42["usage",{"models":[]}]'), (100.0, b"430[{}]")])
    for at, kind, data in events:
        packet = ["events", {"chat_id": "c", "message_id": "m", "data": {"type": kind, "data": data}}]
        record.pieces.append((at, ("42" + json.dumps(packet)).encode()))
    return record


def test_whole_contents_give_each_token_once_when_it_first_came() -> None:
    texts = [token(0), token(0) + token(1), token(0) + token(1) + token(2)]
    events = [(101.0 + i, "chat:completion", {"content": text.strip()}) for i, text in enumerate(texts)]
    reading = read("open-webui", webui_record(*events))  # type: ignore[arg-type]
    assert reading.indices == [0, 1, 2]
    assert reading.delays_s == [1.0, 2.0, 3.0]


def test_deltas_and_outputs_are_read_too() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": token(0) + token(1)}]}]
    events = [
        (101.0, "chat:message:delta", {"content": token(0)}),
        (102.0, "chat:completion", {"output": output}),
        (103.0, "chat:completion", {"choices": [{"delta": {"content": token(2)}}]}),
        (104.0, "response:completion", {"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
        (105.0, "response:completion", {"type": "response.output_text.delta", "delta": token(3)}),
        (106.0, "response:completion", {"type": "response.output_text.done", "text": token(3)}),
    ]
    assert read("open-webui", webui_record(*events)).indices == [0, 1, 2, 3]  # type: ignore[arg-type]
    assert event_text({"type": "chat:title", "data": "Clocks"}) == ("", None)


# --- costs


def test_cpu_is_scaled_to_a_hundred_thousand_tokens() -> None:
    assert cpu_per_100k(Cost(cpu_s=0.5), 10_000) == 5.0
    assert math.isnan(cpu_per_100k(Cost(cpu_s=0.5), 0))


def test_the_upstream_and_the_client_are_not_the_contestants_own_cost() -> None:
    costs = {"web": 2.0, "redis": 0.5, "(upstream)": 7.0, "(client)": 9.0}
    assert own_cpu(some_figures(cpu_s_per_100k=costs)) == 2.5


def test_the_work_of_a_child_is_its_own_and_that_of_its_children_not_ours() -> None:
    work = "import time\nwhile time.process_time() < 0.4: pass\nprint('done', flush=True)\ninput()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    mine = cpu_s(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        with sampling({"child": child.pid, "here": os.getpid()}) as costs:
            assert child.stdout.readline() == "done\n"
        child.communicate("\n")
    assert costs.costs["child"].cpu_s >= 0.3
    assert costs.costs["here"].cpu_s <= cpu_s(os.getpid()) - mine < 0.3


def test_quiet_is_waited_for() -> None:
    busy = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.6: pass\ntime.sleep(60)"]
    with subprocess.Popen(busy) as child:
        try:
            taken = wait_until_quiet({"child": child.pid}, timeout_s=20)
            assert taken < 0.05
            assert cpu_s(child.pid) >= 0.5
        finally:
            child.kill()


def test_what_clients_have_not_taken_is_counted_for_their_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            server, _ = listener.accept()
            with server:
                assert unread_mb(port) == 0
                server.setblocking(False)
                sent = server.send(b"x" * 200_000)
                assert 0 < unread_mb(port) <= sent / 1e6


# --- bars and verdicts


@pytest.mark.parametrize(
    ("value", "bar", "verdict"),
    [
        (10.0, Bar(10), "reached"),
        (10.01, Bar(10), "MISSED"),
        (0.95, Bar(0.95, at_most=False), "reached"),
        (0.94, Bar(0.95, at_most=False), "MISSED"),
        (math.nan, Bar(10), "MISSED"),
        (math.nan, Bar(0.95, at_most=False), "MISSED"),
        (1, Bar(0), "MISSED"),
        (None, Bar(10), "not measured"),
        (3.0, None, ""),
    ],
)
def test_verdicts(value: float | None, bar: Bar | None, verdict: str) -> None:
    assert Row("any", value, "ms", bar).verdict == verdict


def test_the_table_has_the_value_the_bar_the_verdict_and_the_note() -> None:
    lines = table([Row("delay", 12.345, "ms", Bar(10), "p50 4 ms"), Row("lost", 0, "", Bar(0))]).splitlines()
    assert lines[2].split() == ["delay", "12.3", "ms", "≤", "10", "MISSED"]
    assert lines[3].strip() == "p50 4 ms"
    assert lines[4].split() == ["lost", "0", "≤", "0", "reached"]


def test_what_is_no_number_is_null_in_the_json(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    write_json(file, [Row("any", math.nan, "x", Bar(1))], {"runs": [{"p99": math.nan}]}, {"cores": 2})
    found = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert found["rows"][0]["value"] is None
    assert found["rows"][0]["verdict"] == "MISSED"
    assert found["raw"] == {"runs": [{"p99": None}]}


def test_a_ratio_to_nothing_reaches_no_bar() -> None:
    assert ratio(1.0, 4.0) == 0.25
    assert Row("any", ratio(1.0, 0.0), "x", Bar(0.2)).verdict == "MISSED"


# --- rounds


def test_a_round_without_a_value_spoils_the_median() -> None:
    rounds = [some_figures(delay_p99_ms=value) for value in (9.0, 1.0, 5.0)]
    assert middle(rounds, lambda each: each.delay_p99_ms) == 5.0
    spoiled = [*rounds, some_figures(delay_p99_ms=math.nan)]
    assert math.isnan(middle(spoiled, lambda each: each.delay_p99_ms))


def test_losses_add_up_over_the_rounds() -> None:
    assert lost_and_repeated([some_figures(lost=1), some_figures(repeated=2), some_figures()]) == 3


def test_ours_is_compared_with_the_peers_median() -> None:
    runs = {
        "ours": [some_figures(first_p50_ms=value) for value in (1.0, 2.0, 3.0)],
        "litellm": [some_figures(first_p50_ms=value) for value in (10.0, 40.0, 20.0)],
    }
    row = against("first", runs, "litellm", lambda each: each.first_p50_ms, bar=0.1, why="")
    assert (row.value, row.verdict) == (0.1, "reached")
    row = against("first", runs, "open-webui", lambda each: each.first_p50_ms, bar=0.1, why="not installed")
    assert (row.value, row.verdict, row.note) == (None, "not measured", "not installed")


def test_streams_sign_in_as_different_people_where_there_are_some() -> None:
    several = Contestant("peer", "open-webui", "http://x", dict, key="a", keys=("a", "b")).load(3, 10)
    assert [several.key_of(index) for index in range(3)] == ["a", "b", "a"]
    one = Contestant("ours", "rest", "http://x", dict, key="k").load(3, 10)
    assert one.headers_of(2) == {"Authorization": "Bearer k"}
    assert "'k'" not in repr(one)


# --- latency


def waits(count: int, started: float, first: float) -> Waits:
    return Waits(started_s=[started] * count, first_s=[first] * count)


def test_what_the_product_adds_is_its_median_less_the_upstreams() -> None:
    found = {"openai": waits(5, 0, 0.002), "rest": waits(5, 0.01, 0.009), "websocket": waits(5, 0.03, 0.02)}
    rows = rows_of(found, 5)  # type: ignore[arg-type]
    assert [row.value for row in rows] == [10.0, 7.0, 30.0, 18.0]
    assert [row.verdict for row in rows] == ["reached", "reached", "MISSED", "MISSED"]


def test_a_job_that_never_started_is_not_left_out_of_the_p99() -> None:
    rest = waits(4, 0.01, 0.009)
    rest.failures.append("no end within 30 s")
    found = {"openai": waits(5, 0, 0.002), "rest": rest, "websocket": waits(5, 0.01, 0.01)}
    rows = rows_of(found, 5)  # type: ignore[arg-type]
    assert [row.verdict for row in rows] == ["MISSED", "MISSED", "reached", "reached"]
    assert "no end within 30 s" in rows[0].note


# --- engines


class Batching:
    """Pictures in batches of two; each is a chunk of a file."""

    max_batch, max_wait_s = 2, 0.0

    def __init__(self) -> None:
        self.batches: list[int] = []

    def batch_key(self, request: Request) -> Hashable:
        assert isinstance(request.params, ChatParams)
        return request.params.max_tokens

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        self.batches.append(len(requests))
        for request in requests:
            yield request, FileChunk(b"", "image/png", {"seed": 1})
            yield request, DoneChunk({"images": 1})

    def memory_bytes(self) -> int:
        return 0

    def close(self) -> None: ...


def test_an_engine_alone_gets_full_batches_of_what_goes_together() -> None:
    engine = Batching()
    inputs: list[dict[str, object]] = [{"messages": [], "max_tokens": tokens} for tokens in (1, 2, 1, 1, 2)]
    made, seconds = engine_alone.run_round(engine, "chat", inputs)
    assert engine.batches == [2, 1, 2]
    assert made == 5
    assert seconds > 0


class InThreads(Batching):
    """Chats, each of which ends only when all have begun."""

    max_batch = 1

    @override
    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        self.batches.append(len(requests))
        deadline = time.monotonic() + 5
        while len(self.batches) < 4:
            assert time.monotonic() < deadline, "the others never began"
            time.sleep(0.001)
        yield requests[0], TextChunk("a")
        yield requests[0], DoneChunk({"completion_tokens": 10})


def test_an_engine_that_does_not_batch_gets_all_at_once_from_threads() -> None:
    inputs: list[dict[str, object]] = [{"messages": [], "max_tokens": 1}] * 4
    assert engine_alone.run_round(InThreads(), "chat", inputs)[0] == 40


def test_both_sides_count_the_same() -> None:
    for chunk, frame, expected in (
        (
            DoneChunk({"completion_tokens": 7}),
            {"type": "finished", "data": {"usage": {"completion_tokens": 7}}},
            7.0,
        ),
        (
            FileChunk(b"", "image/png"),
            {"type": "artifact", "data": {"media_type": "image/png"}},
            1.0,
        ),
        (
            FileChunk(b"", "audio/wav", {"duration_s": 2.5}),
            {"type": "artifact", "data": {"media_type": "audio/wav", "duration_s": 2.5}},
            2.5,
        ),
    ):
        assert engine_alone.made_in(chunk) == job_client.made_in(frame) == expected
    with pytest.raises(EngineError):
        engine_alone.made_in(EngineError("broken", "It broke."))


def test_the_ratio_is_of_the_medians() -> None:
    case = Case("any", "m", "chat", "tokens/s", [])
    row = row_of("any", Rates(product=[90.0, 1.0, 100.0], alone=[100.0, 80.0, 500.0]), case)
    assert (row.value, row.verdict) == (0.9, "MISSED")


def test_a_round_in_which_nothing_was_made_is_a_failure() -> None:
    assert rate(10, 4) == 2.5
    with pytest.raises(JobFailed):
        rate(0, 4)


def test_rounds_in_turn_add_up() -> None:
    assert added_up([(10, 1.0), (30, 1.0)]) == (40, 2.0)


def test_every_engine_case_is_what_its_medium_takes() -> None:
    from apps.chat.params import ChatInput  # noqa: PLC0415  after Django's set-up
    from apps.image.params import ImageInput  # noqa: PLC0415
    from apps.voice.params import VoiceInput  # noqa: PLC0415

    inputs = {"chat": ChatInput, "image": ImageInput, "voice": VoiceInput}
    for sizes in (FULL, QUICK):
        for case in cases(sizes):
            for each in case.inputs:
                inputs[case.medium].model_validate(each)  # type: ignore[attr-defined]
    assert len(chats(FULL)) == 16
    assert len({each["messages"][0]["content"] for each in chats(FULL)}) == 16
    turns = ChatParams.from_json(chats(FULL)[0]).messages
    assert isinstance(turns[0], Turn)


# --- what is started


def test_settings_of_whoever_runs_it_do_not_change_the_product(tmp_path: Path) -> None:
    theirs = {
        "PATH": "/bin",
        "AIGC_DATABASE_URL": "postgres://x",
        "DJANGO_SETTINGS_MODULE": "y",
        "AIGC_ASGI_SERVER": "uvicorn",
    }
    env = environment(tmp_path, 1234, theirs)
    assert not {"AIGC_DATABASE_URL", "DJANGO_SETTINGS_MODULE"} & set(env)
    assert (env["PATH"], env["AIGC_ASGI_SERVER"], env["PORT"]) == ("/bin", "uvicorn", "1234")
    assert int(env["AIGC_CHAT_SLOTS"]) >= max(FULL.sse)
    assert int(env["AIGC_MAX_UNFINISHED_JOBS"]) >= max(FULL.sse)


def test_a_peer_is_there_when_its_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.VENVS", tmp_path)
    peer = PeerEnvironment("some-peer", "some-peer[proxy]", "some-peer")
    assert not peer.is_there()
    peer.command.parent.mkdir(parents=True)
    peer.command.touch()
    (peer.folder / "lib/python3.11/site-packages/some_peer-1.2.3.dist-info").mkdir(parents=True)
    assert peer.is_there()
    assert peer.version() == "1.2.3"


def test_a_page_weighs_what_it_imports_but_not_what_it_loads_later() -> None:
    manifest: dict[str, dict[str, Any]] = {
        "index.html": {"file": "a.js", "isEntry": True, "imports": ["_vue.js"], "css": ["a.css"]},
        "_vue.js": {"file": "vue.js"},
        "src/pages/ChatPage.vue": {
            "file": "chat.js",
            "imports": ["_vue.js", "index.html"],
            "dynamicImports": ["src/components/MarkdownView.vue"],
        },
        "src/components/MarkdownView.vue": {"file": "markdown.js"},
    }
    files = {file.name for file in files_of(manifest, ["index.html", "src/pages/ChatPage.vue"])}
    assert files == {"a.js", "a.css", "vue.js", "chat.js"}


def test_the_upstream_writes_paragraphs_where_the_models_name_asks_for_them() -> None:
    assert Script().for_body({"model": "fake-100x2000-p40"}) == Script(rate=100, tokens=2000, paragraph=40)
    assert Script().for_body({"model": "fake-50x400"}) == Script(rate=50, tokens=400)
