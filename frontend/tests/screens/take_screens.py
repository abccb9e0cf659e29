"""Draws the pages in their states with the system's Chromium: `python take_screens.py FOLDER`. Build the page first.

Fails when a page writes an error to the console, breaks the content security policy or scrolls sideways.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mock_studio import JSON, ORIGIN, Event, MockStudio, conversation, data_uri, job, message, picture
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright
from playwright.sync_api import TimeoutError as Overdue

CODE = """
```python
last = None
while True:
    async for event in follow(job, after=last):
        show(event)
        last = event.id
```
"""
WORDS = {
    "en": {
        "ask": "Show in Python how to reconnect without losing messages.",
        "reason": "They want the smallest example that runs. The point: each event has an id, and the client keeps it.",
        "answer": "The point is the **id**, not the connection: each event has one, and the client only has to "
        f"remember the last one it saw.\n{CODE}\n| step | what |\n|---|--:|\n| 1 | connect |\n| 2 | name the id |\n\n"
        "On reconnecting it names that id, and the server",
        "titles": ["Three days in Paris", "Contract: risks", "A poem, translated", "Quarterly sales"],
        "rest": " sends what comes after.",
        "folder": "Work",
        "assistant": "Patient teacher",
        "purpose": "Explains with small examples",
        "system": "You are a patient teacher. Explain with the smallest example that runs.",
        "prompt": "Sunset on a lake, snowy mountains far away, reflections, cinematic",
        "say": [
            "Welcome to the studio.",
            "Here, words speak and ideas become pictures.",
            "Without a network just the same.",
        ],
    },
    "zh": {
        "ask": "用一段 Python 说明怎样断线重连而不丢消息。",
        "reason": "用户想要一个可以运行的最小例子。关键是：每条事件有编号；客户端记住最后一个编号。",
        "answer": "要点是**编号**，不是连接：每个事件都有自己的编号，客户端只需要记住最后看到的那一个。\n"
        f"{CODE}\n- 重连时带上编号\n- 服务器从那里继续\n\n重连时带上这个编号，服务器就从",
        "titles": ["巴黎三日行程", "合同要点与风险", "诗与翻译", "季度销售分析"],
        "rest": "下一条开始发。",
        "folder": "工作",
        "assistant": "耐心的老师",
        "purpose": "用小例子讲解",
        "system": "你是一位耐心的老师，用最小的可运行例子讲解。",
        "prompt": "湖上日落，远处雪山，水面倒影，电影感",
        "say": ["欢迎来到工作室。", "在这里，文字会说话，想法会变成画面。", "没有网络，也一样。"],
    },
}


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    locale: Literal["en", "zh"]
    theme: Literal["light", "dark"]
    width: int
    height: int = 800

    @property
    def words(self) -> JSON:
        """What people say in this language."""
        return WORDS[self.locale]


LOOKS = [
    Look("en", "light", 1280),
    Look("zh", "dark", 1280),
    Look("zh", "light", 390),
    Look("en", "dark", 390),
]


def question(look: Look) -> JSON:
    """The input of a chat job."""
    return {"messages": [{"role": "user", "content": look.words["ask"]}]}


def finished_jobs(look: Look) -> list[JSON]:
    """Some history."""
    image: JSON = {
        "prompt": look.words["prompt"],
        "width": 608,
        "height": 416,
        "steps": 20,
        "guidance": 6.5,
        "seed": 31415,
    }
    artifacts = [
        {"id": f"picture-{n}", "url": f"/api/v1/jobs/i1/artifacts/picture-{n}", "media_type": "image/png",
         "width": 608, "height": 416, "seed": 31415 + n}
        for n in range(1, 7)
    ]  # fmt: skip
    audio = {
        "id": "speech-9",
        "url": "/api/v1/jobs/v1/artifacts/speech-9",
        "media_type": "audio/wav",
        "duration_s": 9,
    }
    voice: JSON = {"text": "".join(look.words["say"]), "format": "wav"}
    error = {
        "code": "out_of_memory",
        "message": "The card has 7.8 GB and this needs 9.1 GB; choose a smaller size.",
    }
    return [
        job("i1", "image", "succeeded", image, 8, result={"artifacts": artifacts}),
        job("v1", "voice", "succeeded", voice, 6, result={"artifacts": [audio]}),
        job("v2", "voice", "succeeded", voice, 5, result={"artifacts": [audio]}),
        job("i2", "image", "failed", {**image, "width": 2048, "height": 2048}, 4, error=error),
        job("c1", "chat", "cancelled", question(look), 3, result={"text": "…"}),
    ]  # fmt: skip


def conversations(look: Look) -> list[JSON]:
    """Some history; the last one has two versions of everything."""
    words = look.words
    said = {
        "usage": {"prompt_tokens": 41, "completion_tokens": 128, "first_chunk_s": 0.21, "run_s": 2.26},
        "confidence": 0.87,
    }
    messages = [
        message("q1", None, "user", words["prompt"]),
        message("a1", "q1", "assistant", words["reason"]),
        message("q2", None, "user", words["ask"]),
        message("a2", "q2", "assistant", words["reason"]),
        message("a3", "q2", "assistant", words["answer"] + words["rest"], reasoning=words["reason"], rating=1,
                rating_reason=words["say"][0], **said),
    ]  # fmt: skip
    return [
        conversation("n1", words["titles"][0], pinned=True, days_ago=3),
        conversation("n2", words["titles"][1]),
        conversation("n3", words["titles"][2], days_ago=1),
        conversation("n4", words["titles"][3], days_ago=5, folder="f1"),
        conversation("n5", words["ask"], messages=messages),
    ]


def folders(look: Look) -> list[JSON]:
    """One folder, with the conversation of five days ago."""
    return [{"id": "f1", "name": look.words["folder"], "conversations": 1}]


def assistants(look: Look) -> list[JSON]:
    """One that has everything."""
    words = look.words
    opening = [{"role": "user", "content": words["ask"]}, {"role": "assistant", "content": words["reason"]}]
    params = {"temperature": 0.6, "max_tokens": 2000}
    return [
        {"id": "p1", "name": words["assistant"], "description": words["purpose"], "model": "demo-chat",
         "system": words["system"], "params": params, "opening": opening},
    ]  # fmt: skip


def running_image(look: Look) -> tuple[JSON, list[Event]]:
    """A picture at step 14 of 20."""
    made = job("i9", "image", "queued", {"prompt": look.words["prompt"], "steps": 20, "seed": 7}, 20)
    events: list[Event] = [
        ("started", {"attempt": 1, "model": "demo-image"}),
        *(("progress", {"step": n, "steps": 20}) for n in range(1, 15)),
        ("preview", {"image": data_uri(picture(76, 52, 40)), "index": 0}),
    ]
    return made, events


def sign_in(page: Page, studio: MockStudio, look: Look) -> None:
    studio.signed_in = False
    page.goto(f"{ORIGIN}/chat")
    page.locator("input[type=email]").fill("ada@example.com")
    page.locator("input[type=password]").fill("wrong")
    page.locator("button[type=submit]").click()
    page.get_by_role("alert").wait_for()


def welcome(page: Page, studio: MockStudio, look: Look) -> None:
    studio.signed_in = False
    page.goto(f"{ORIGIN}/welcome/token")
    page.locator("input[type=email]").wait_for()


def chat_empty(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/")
    page.locator(".examples button:enabled").first.wait_for()


def ask(page: Page, studio: MockStudio, look: Look, events: list[Event]) -> None:
    made = job("c9", "chat", "queued", question(look), 30)
    studio.on_submit = lambda body: (made, events)
    chat_empty(page, studio, look)
    page.locator("#composer").fill(look.words["ask"])
    page.locator("#composer").press("Enter")


def chat_waiting(page: Page, studio: MockStudio, look: Look) -> None:
    ask(page, studio, look, [("queued", {"position": 2, "eta_s": 12})])
    page.locator(".waiting").get_by_text("12").wait_for()


def chat_running(page: Page, studio: MockStudio, look: Look) -> None:
    events: list[Event] = [
        ("started", {"attempt": 1, "model": "demo-chat"}),
        ("delta", {"reasoning": look.words["reason"]}),
        ("delta", {"text": look.words["answer"]}),
    ]
    studio.jobs.insert(0, running_image(look)[0])
    studio.events["i9"] = running_image(look)[1]
    ask(page, studio, look, events)
    page.locator(".code").wait_for()


def chat_done(page: Page, studio: MockStudio, look: Look) -> None:
    chat_running(page, studio, look)
    studio.push(
        "c9", ("delta", {"text": look.words["rest"]}), ("finished", {"usage": {"completion_tokens": 128}})
    )
    page.locator(".acts .lucide-info").wait_for()
    page.locator(".fold button").click()


def chat_versions(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/chat/n5")
    page.locator(".code").wait_for()
    page.locator("article.answer .lucide-info").click()


def chat_editing(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/chat/n5")
    page.locator("article.question .lucide-pencil").click()
    page.locator("article.answer .lucide-thumbs-down").click()
    page.locator("article.question textarea").focus()


def chat_unsent(page: Page, studio: MockStudio, look: Look) -> None:
    studio.on_submit = None
    chat_empty(page, studio, look)
    page.locator("#composer").fill(look.words["ask"])
    page.locator("#composer").press("Enter")
    page.get_by_role("alert").wait_for()


def open_list(page: Page, look: Look) -> None:
    page.goto(f"{ORIGIN}/chat/n5")
    page.locator(".code").wait_for()
    if look.width < 760:
        page.locator("header .lucide-panel-left").click()


def chat_folder(page: Page, studio: MockStudio, look: Look) -> None:
    open_list(page, look)
    page.locator(".fold .lucide-chevron-right").first.click()
    page.locator(".folder li.conversation").wait_for()


def chat_compare(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/chat/n5")
    page.locator("header .lucide-columns-2").click()
    page.locator("section.column .code").wait_for()


def assistant(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/assistants/p1")
    page.locator("footer .lucide-check").wait_for()


def chat_menu(page: Page, studio: MockStudio, look: Look) -> None:
    open_list(page, look)
    row = page.get_by_role("listitem").filter(has_text=look.words["titles"][1])
    row.hover()
    row.locator(".lucide-ellipsis").click()


def chat_deleted(page: Page, studio: MockStudio, look: Look) -> None:
    chat_menu(page, studio, look)
    page.locator(".menu:popover-open .danger").click()
    row = page.get_by_role("listitem").filter(has_text=look.words["titles"][2])
    row.hover()
    row.locator(".lucide-ellipsis").click()
    page.locator(".menu:popover-open .lucide-pencil").click()
    page.locator(".undo").wait_for()


def chat_offline(page: Page, studio: MockStudio, look: Look) -> None:
    chat_running(page, studio, look)
    studio.socket_up = False
    for socket in studio.sockets:
        socket.close(code=1012)
    page.locator(".notice.warn").wait_for()


def image_empty(page: Page, studio: MockStudio, look: Look) -> None:
    studio.jobs.clear()
    page.goto(f"{ORIGIN}/image")
    page.locator(".empty").wait_for()


def image_running(page: Page, studio: MockStudio, look: Look) -> None:
    made, events = running_image(look)
    studio.jobs.insert(0, made)
    studio.events["i9"] = events
    page.goto(f"{ORIGIN}/image")
    page.locator("figure .preview").wait_for()


def image_done(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/image")
    page.locator("figure dl").wait_for()


def image_settings(page: Page, studio: MockStudio, look: Look) -> None:
    image_done(page, studio, look)
    if look.width < 760:
        page.locator(".phone-form button[type=button]").click()
    page.locator("input[type=file]").set_input_files(
        FilePayload(name="lake.png", mimeType="image/png", buffer=picture(64, 64, 10))
    )
    page.locator(".start img").wait_for()


def voice_running(page: Page, studio: MockStudio, look: Look) -> None:
    made = job("v9", "voice", "queued", {"text": "".join(look.words["say"]), "format": "mp3"}, 30)
    events: list[Event] = [("started", {"attempt": 1, "model": "espeak"})]
    for index, text in enumerate(look.words["say"][:2]):
        url = f"/api/v1/jobs/v9/artifacts/speech-{index + 2}"
        events.append(
            ("audio", {"id": f"s{index}", "url": url, "index": index, "text": text, "duration_s": index + 2})
        )
    events.append(("progress", {"step": 2, "steps": 3, "unit": "sentences"}))
    studio.on_submit = lambda body: (made, events)
    page.goto(f"{ORIGIN}/voice")
    page.locator("form button[type=submit]:enabled").click()
    page.locator(".sentences").wait_for()


def voice_done(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/voice?job=v1")
    page.locator(".speech input[type=range]").wait_for()


def jobs(page: Page, studio: MockStudio, look: Look) -> None:
    made, events = running_image(look)
    waiting = job("c8", "chat", "queued", question(look), 21)
    loading = job("i8", "image", "queued", {"prompt": look.words["prompt"]}, 22)
    studio.jobs[:0] = [loading, waiting, made]
    studio.events |= {
        "i9": events,
        "c8": [("queued", {"position": 2, "eta_s": 12})],
        "i8": [
            ("started", {"attempt": 1, "model": "sdxl-base-1.0"}),
            ("progress", {"step": 3_100_000_000, "steps": 6_900_000_000, "stage": "load", "unit": "bytes"}),
        ],
    }
    page.goto(f"{ORIGIN}/jobs")
    page.locator("progress").nth(1).wait_for()


def me(page: Page, studio: MockStudio, look: Look) -> None:
    page.goto(f"{ORIGIN}/me")
    page.locator("select").first.wait_for()


SCENES: list[Callable[[Page, MockStudio, Look], None]] = [
    sign_in, welcome, chat_empty, chat_waiting, chat_running, chat_done, chat_offline,
    chat_versions, chat_editing, chat_unsent, chat_menu, chat_deleted, chat_folder, chat_compare, assistant,
    image_empty, image_running, image_done, image_settings, voice_running, voice_done, jobs, me,
]  # fmt: skip


@contextmanager
def open_page(browser: Browser, look: Look, faults: list[str]) -> Iterator[Page]:
    """A page that looks this way; what goes wrong in it is added to `faults`."""
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height}, color_scheme=look.theme, reduced_motion="reduce",
        locale={"en": "en-GB", "zh": "zh-CN"}[look.locale],
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(8000)
    # A refused request or a cut socket is part of some scenes, and the browser notes each.
    expected = ("Failed to load resource", "WebSocket connection")
    page.on(
        "console",
        lambda said: (
            faults.append(said.text) if said.type == "error" and not said.text.startswith(expected) else None
        ),
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        yield page
    finally:
        context.close()


def draw(
    browser: Browser, folder: Path, look: Look, scene: Callable[[Page, MockStudio, Look], None]
) -> list[str]:
    """One screen; returns what was wrong with it."""
    faults: list[str] = []
    with open_page(browser, look, faults) as page:
        studio = MockStudio(
            jobs=finished_jobs(look),
            conversations=conversations(look),
            folders=folders(look),
            assistants=assistants(look),
        )
        studio.attach(page)
        name = f"{scene.__name__.replace('_', '-')}-{look.locale}-{look.theme}-{look.width}.png"
        try:
            scene(page, studio, look)
        except Overdue as error:
            faults.append(str(error))
        page.wait_for_timeout(250)
        page.screenshot(path=folder / name)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append("the page scrolls sideways")
    return [f"{name}: {fault}" for fault in faults]


def main() -> int:
    """Draw what was asked for; 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scene", action="append", help="only these scenes")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    scenes = [scene for scene in SCENES if not arguments.scene or scene.__name__ in arguments.scene]
    faults: list[str] = []
    with sync_playwright() as playwright:
        # In a container Chromium's own sandbox often cannot start, and it only opens our own files here.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for look in LOOKS:
            for scene in scenes:
                faults += draw(browser, arguments.folder, look, scene)
        browser.close()
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
