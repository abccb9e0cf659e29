"""The product as the pages see it, played inside the browser: the built files, the API and the socket.

Nothing listens on a port: Playwright answers the page's requests from here. The page gets the product's own content
security policy, so a page that would break under it breaks here too.
"""

from __future__ import annotations

import base64
import io
import json
import mimetypes
import struct
import wave
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, WebSocketRoute

DIST = Path(__file__).parents[2] / "dist"
ORIGIN = "http://studio.test"
STATIC = "/static/studio/"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
JSON = dict[str, Any]
Event = tuple[str, JSON]

USER = {"id": "u1", "email": "ada@example.com", "name": "Ada", "is_staff": True}
SESSION = {"user": USER, "workspace": {"id": "w1", "name": "Studio", "role": "owner"}}


def model(id_: str, name: str, medium: str, **more: Any) -> JSON:
    """A catalogue entry as the API shows it."""
    return {
        "id": id_, "name": name, "notes": "", "medium": medium, "engine": "", "demo": False, "random": False,
        "default": False, "enabled": True, "size_bytes": 0, "languages": [], "options": {},
        "state": {"state": "ready", "done": 0, "total": 0, "message": ""}, **more,
    }  # fmt: skip


MODELS = [
    model("demo-chat", "Chat: Demo", "chat", demo=True, default=True),
    model("deepseek-r1", "DeepSeek R1 Distill Qwen 1.5B", "chat", enabled=False, size_bytes=3_600_000_000),
    model("demo-image", "Image: Demo", "image", demo=True, default=True, options={"default_width": 512}),
    model("espeak", "eSpeak NG", "voice", default=True),
]
VOICES = [
    {"id": "zh", "name": "普通话", "language": "zh"},
    {"id": "en-gb", "name": "British", "language": "en"},
]


def job(id_: str, kind: str, status: str, input_: JSON, minute: int, **more: Any) -> JSON:
    """A job as the API shows it."""
    ended = status not in ("queued", "running")
    return {
        "id": id_, "kind": kind, "status": status, "attempt": 1, "model": f"demo-{kind}", "tier": "interactive",
        "created_at": f"2026-11-22T10:{minute:02}:00Z", "started_at": f"2026-11-22T10:{minute:02}:01Z",
        "finished_at": f"2026-11-22T10:{minute:02}:09Z" if ended else None, "input": input_, **more,
    }  # fmt: skip


def message(id_: str, parent: str | None, role: str, content: str, **more: Any) -> JSON:
    """A message as the API shows it."""
    return {
        "id": id_, "parent": parent, "role": role, "content": content, "created_at": now(), "state": "done",
        "job": None, "model": "demo-chat" if role == "assistant" else "", "reasoning": "", "error": None,
        "finish_reason": "", "usage": {}, "confidence": None, "rating": 0, "rating_reason": "", **more,
    }  # fmt: skip


def conversation(id_: str, title: str, *, days_ago: int = 0, **more: Any) -> JSON:
    """A conversation as the API shows it, with its messages."""
    messages: list[JSON] = more.get("messages", [])
    return {
        "id": id_, "title": title, "titled": True, "model": "demo-chat", "system": "", "params": {}, "pinned": False,
        "archived": False, "assistant": None, "folder": None, "current": messages[-1]["id"] if messages else None,
        "created_at": now(days_ago), "updated_at": now(days_ago), "messages": messages, **more,
    }  # fmt: skip


def now(days_ago: int = 0) -> str:
    """The time so many days ago, as the API writes it."""
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def picture(width: int, height: int, hue: int) -> bytes:
    """A PNG with a sunset of some colour."""
    rows = b""
    for y in range(height):
        t = y / height
        lake = t > 0.7
        sky = (int(90 + 150 * t + hue) % 256, int(80 + 70 * t), int(140 - 60 * t + hue) % 256)
        colour = (40 + hue % 40, 70, 120) if lake else sky
        row = b"\x00"
        for x in range(width):
            mountain = not lake and y > height * (0.35 + 0.5 * abs(x / width - 0.5))
            row += bytes((46, 48, 84) if mountain else colour)
        rows += row

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def speech(seconds: float) -> bytes:
    """A silent WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x00" * int(8000 * seconds))
    return buffer.getvalue()


@dataclass
class MockStudio:
    """What the server knows; tests fill it in and look at what the page asked for."""

    signed_in: bool = True
    jobs: list[JSON] = field(default_factory=list)
    conversations: list[JSON] = field(default_factory=list)
    folders: list[JSON] = field(default_factory=list)
    assistants: list[JSON] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    on_submit: Callable[[JSON], tuple[JSON, list[Event]]] | None = None
    asked: list[str] = field(default_factory=list)
    bodies: list[JSON] = field(default_factory=list)
    socket_up: bool = True
    sockets: list[WebSocketRoute] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        """Answer everything that this page asks for."""
        page.route("**/*", self._answer)
        page.route_web_socket("**/ws/v1", self._socket)

    # --- HTTP

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        if not route.request.url.startswith(ORIGIN):
            route.abort()
            raise AssertionError(f"The page asked another origin: {route.request.url}")
        if address.path.startswith(STATIC):
            self._file(route, DIST / address.path.removeprefix(STATIC))
        elif address.path.startswith("/api/"):
            self.asked.append(f"{route.request.method} {address.path}")
            self._api(
                route, address.path, {name: values[0] for name, values in parse_qs(address.query).items()}
            )
        else:
            self._file(route, DIST / "index.html")

    def _file(self, route: Route, path: Path) -> None:
        if not path.is_file():
            route.fulfill(status=404)
            return
        type_ = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        route.fulfill(
            body=path.read_bytes(), headers={"Content-Type": type_, "Content-Security-Policy": POLICY}
        )

    def _api(self, route: Route, path: str, query: dict[str, str]) -> None:
        method, parts = route.request.method, path.removeprefix("/api/v1/").split("/")
        match (method, parts):
            case ("GET", ["session"]) if not self.signed_in:
                self._error(route, 401, "unauthenticated", "Sign in, or send an API key.")
            case (_, ["session"]) if method in ("GET", "POST"):
                self._sign_in(route)
            case ("DELETE", ["session"]):
                self.signed_in = False
                route.fulfill(status=204)
            case ("POST", ["welcome"]):
                self._sign_in(route)
            case ("GET", ["models"]):
                route.fulfill(
                    json={"results": [each for each in MODELS if each["medium"] == query.get("medium")]}
                )
            case ("GET", ["voices" | "folders" | "assistants" as name]):
                known = {"voices": VOICES, "folders": self.folders, "assistants": self.assistants}
                route.fulfill(json={"results": known[name]})
            case ("POST", ["uploads"]):
                route.fulfill(
                    status=201, json={"id": "upload-1", "media_type": "image/png", "width": 64, "height": 64}
                )
            case ("GET", ["jobs"]):
                route.fulfill(json={"results": list(self._listed(query)), "next": None})
            case ("POST", ["jobs"]):
                self._submit(route)
            case (_, ["jobs", id_, *rest]):
                self._job(route, id_, rest)
            case (_, ["conversations", *rest]):
                self._conversations(route, rest, query)
            case _:
                self._error(route, 404, "not_found", f"There is nothing at {path}.")

    def _body(self, route: Route) -> JSON:
        body: JSON = route.request.post_data_json or {}
        self.bodies.append(body)
        return body

    def _sign_in(self, route: Route) -> None:
        if route.request.method == "POST" and self._body(route).get("password") == "wrong":
            self._error(route, 401, "unauthenticated", "This email and password do not match.")
            return
        self.signed_in = True
        route.fulfill(json=SESSION, headers={"Set-Cookie": "csrftoken=token; Path=/"})

    def _listed(self, query: dict[str, str]) -> Iterator[JSON]:
        statuses = query["status"].split(",") if "status" in query else None
        for each in self.jobs:
            if query.get("kind", each["kind"]) == each["kind"] and (
                statuses is None or each["status"] in statuses
            ):
                yield each

    def _submit(self, route: Route) -> None:
        if self.on_submit is None:
            raise AssertionError("This scene does not expect a submit.")
        made, events = self.on_submit(self._body(route))
        self.jobs.insert(0, made)
        self.events[made["id"]] = events
        route.fulfill(status=202, json=made)

    def _conversations(self, route: Route, rest: list[str], query: dict[str, str]) -> None:
        if rest:
            self._conversation(route, *rest)
        elif route.request.method == "POST":
            self._start(route)
        else:
            archived = query.get("archived") == "true"
            folder = {"none": None}.get(query.get("folder", ""), query.get("folder"))
            listed = [
                each
                for each in self.conversations
                if each["archived"] == archived and ("folder" not in query or each["folder"] == folder)
            ]
            route.fulfill(json={"results": [] if "job" in query else listed, "next": None})

    def _start(self, route: Route) -> None:
        if self.on_submit is None:
            self._error(route, 503, "unavailable", "No worker answers; an admin can start one.")
            return
        body = self._body(route)
        made, events = self.on_submit(body)
        self.events[made["id"]] = events
        question = message("q9", None, "user", body["content"])
        answer = message("a9", "q9", "assistant", "", state="running", job=made["id"])
        begun = conversation("n9", body["content"], messages=[question, answer])
        self.conversations.insert(0, begun)
        route.fulfill(status=201, json=begun)

    def _conversation(self, route: Route, id_: str, *rest: str) -> None:
        found = next((each for each in self.conversations if each["id"] == id_), None)
        if found is None:
            self._error(route, 404, "not_found", f"There is no conversation {id_}.")
        elif route.request.method == "DELETE":
            self.conversations.remove(found)
            route.fulfill(status=204)
        else:
            changed = next((each for each in found["messages"] if rest[1:] == (each["id"],)), found)
            if route.request.method == "PATCH":
                changed.update(self._body(route))
            route.fulfill(json=changed)

    def _job(self, route: Route, id_: str, rest: list[str]) -> None:
        found = next((each for each in self.jobs if each["id"] == id_), None)
        if rest[:1] == ["artifacts"]:
            self._artifact(route, rest[1])
        elif found is None:
            self._error(route, 404, "not_found", f"There is no job {id_}.")
        else:
            route.fulfill(json=found)

    def _artifact(self, route: Route, name: str) -> None:
        kind, _, number = name.partition("-")
        if kind == "picture":
            route.fulfill(body=picture(304, 208, int(number) * 23), headers={"Content-Type": "image/png"})
        else:
            route.fulfill(body=speech(float(number)), headers={"Content-Type": "audio/wav"})

    def _error(self, route: Route, status: int, code: str, message: str) -> None:
        route.fulfill(status=status, json={"error": {"code": code, "message": message, "request_id": "r-1"}})

    # --- the socket

    def _socket(self, socket: WebSocketRoute) -> None:
        if not self.socket_up:
            socket.close(code=1013)
            return
        self.sockets.append(socket)
        socket.on_message(lambda text: self._frame(socket, json.loads(text)))

    def _frame(self, socket: WebSocketRoute, frame: JSON) -> None:
        if frame["op"] == "ping":
            socket.send(json.dumps({"op": "pong"}))
        elif frame["op"] == "follow":
            after = int(frame["after"].partition("-")[2]) if "after" in frame else 0
            for number, (type_, data) in enumerate(self.events.get(frame["job"], []), 1):
                if number > after:
                    self._send(socket, frame["job"], number, type_, data)

    def push(self, job_id: str, *events: Event) -> None:
        """More events of a running job, to everybody who is connected."""
        log = self.events[job_id]
        for type_, data in events:
            log.append((type_, data))
            for socket in self.sockets:
                self._send(socket, job_id, len(log), type_, data)

    def _send(self, socket: WebSocketRoute, job_id: str, number: int, type_: str, data: JSON) -> None:
        socket.send(
            json.dumps({"op": "event", "job": job_id, "id": f"1-{number}", "type": type_, "data": data})
        )


def data_uri(png: bytes) -> str:
    """A preview as the events carry it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
