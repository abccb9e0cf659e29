"""The studio in headless Chromium against the running product: what its pages weigh, how soon they show something,
and whether they stay smooth while an answer streams into a long conversation."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.product import EMAIL, Product
from benchmarks.report import ROOT, Bar, Row
from benchmarks.sizes import Sizes

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

DIST = ROOT / "frontend" / "dist"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FIRST_LOAD_KB, FIRST_PAINT_MS, LONG_TASK_MS = 250, 1000, 200
MODEL = "fake-100x{tokens}-p40"
# In a fresh browser each time; the first one also warms the files of the machine.
FIRST_PAINTS = 5
SHOWN_WITHIN_MS = 120_000
# What Chromium counts as long is 50 ms and more. Every frame's time is measured, too.
WATCH = """
() => {
  window.seen = {tasks: [], frames: []};
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.seen.tasks.push(Math.round(entry.duration));
  }).observe({type: "longtask", buffered: false});
  let last = performance.now();
  const frame = now => { window.seen.frames.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}
"""
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
PARAGRAPH = (
    "The tide comes twice a day. It leaves **shells** and `weed`, and a line that says how high it was.\n\n"
    "- one\n- two\n- three\n"
)


def studio(product: Product, upstream_url: str, sizes: Sizes, raw: dict[str, Any]) -> list[Row]:
    """All of it; without Chromium or the built page the rows say so."""
    rows = weights(raw)
    if CHROMIUM is None:
        return [*rows, Row("the page in Chromium", None, note="there is no Chromium on the PATH")]
    model = MODEL.format(tokens=sizes.studio_tokens)
    product.add_model(model, upstream_url)
    conversation = long_conversation(product, model, sizes.studio_messages)
    with signed_in(product) as context:
        rows += first_paint(context, raw)
        rows += streaming(context, conversation, sizes, raw)
    return rows


def weights(raw: dict[str, Any]) -> list[Row]:
    """Compressed kilobytes of script and style that each page loads first, from the build's manifest."""
    file = DIST / ".vite" / "manifest.json"
    if not file.is_file():
        return [Row("first load of the chat page", None, note="the page is not built: make setup")]
    manifest: dict[str, dict[str, Any]] = json.loads(file.read_text())
    entry = next(name for name, chunk in manifest.items() if chunk.get("isEntry"))
    found = {
        Path(name).stem.removesuffix("Page").lower(): sum(map(_gzipped_kb, files_of(manifest, [entry, name])))
        for name in manifest
        if name.startswith("src/pages/")
    }
    raw["studio_first_load_kb"] = {name: round(kb, 1) for name, kb in sorted(found.items())}
    rows = [
        Row(
            f"first load of {name}, gzipped",
            round(kb, 1),
            "kB",
            Bar(FIRST_LOAD_KB) if name == "chat" else None,
        )
        for name, kb in sorted(found.items())
    ]
    answered = files_of(manifest, [entry, "src/pages/ChatPage.vue", "src/components/MarkdownView.vue"])
    rows.append(
        Row("first load of chat with an answer in it", round(sum(map(_gzipped_kb, answered)), 1), "kB")
    )
    total = sum(map(_gzipped_kb, sorted((DIST / "assets").glob("*.[jc]s*"))))
    return [*rows, Row("all scripts and styles of the studio", round(total, 1), "kB")]


def files_of(manifest: dict[str, dict[str, Any]], names: list[str]) -> set[Path]:
    """The files that these chunks need before they run: themselves, what they import, and their styles."""
    files: set[Path] = set()
    todo, seen = list(names), set(names)
    for name in todo:  # grows while it runs
        chunk = manifest[name]
        files |= {DIST / each for each in (chunk["file"], *chunk.get("css", ()))}
        new = [each for each in chunk.get("imports", ()) if each not in seen]
        seen.update(new)
        todo += new
    return files


def _gzipped_kb(file: Path) -> float:
    return len(gzip.compress(file.read_bytes(), 9)) / 1000


def long_conversation(product: Product, model: str, messages: int) -> str:
    """A conversation of so many messages, as an import brings it; its id."""
    turns = [
        {
            "id": str(number),
            "parent": str(number - 1) if number else None,
            "role": "assistant" if number % 2 else "user",
            "content": PARAGRAPH * 3 if number % 2 else f"And what of the {number}th tide?",
        }
        for number in range(messages)
    ]
    file = {"title": "A long one", "messages": turns, "params": {"max_tokens": 100_000}}
    made = _post(product, "/api/v1/conversations/import", file)
    _post(product, f"/api/v1/conversations/{made['id']}", {"model": model}, method="PATCH")
    return str(made["id"])


def _post(product: Product, path: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
    request = urllib.request.Request(
        product.url + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {product.key}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return dict(json.load(answer))


@contextmanager
def signed_in(product: Product) -> Iterator[BrowserContext]:
    """A browser of the product's admin."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  only this benchmark needs a browser

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=product.url, locale="en-GB", viewport={"width": 1280, "height": 800}
        )
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(product.env["AIGC_ADMIN_PASSWORD"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/chat")
        page.close()
        yield context
        browser.close()


def first_paint(context: BrowserContext, raw: dict[str, Any]) -> list[Row]:
    """Milliseconds until the chat page has painted its first content, nothing of it in the browser's cache."""
    values: list[float] = []
    for _ in range(FIRST_PAINTS):
        page = context.new_page()
        tools = context.new_cdp_session(page)
        tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto("/chat")
        page.get_by_label("Your message").wait_for()
        painted = page.evaluate(FIRST_PAINT)
        values.append(float("nan") if painted is None else painted)
        page.close()
    raw["studio_first_paint_ms"] = [round(value, 1) for value in values]
    middle = sorted(values)[len(values) // 2]
    note = f"median of {len(values)} without a cache; slowest {max(values):.0f} ms"
    return [Row("first contentful paint of the chat page", round(middle), "ms", Bar(FIRST_PAINT_MS), note)]


def streaming(context: BrowserContext, conversation: str, sizes: Sizes, raw: dict[str, Any]) -> list[Row]:
    """Long tasks while 100 tokens a second are painted below so many messages; and while they are scrolled."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"/chat/{conversation}")
    page.locator("article.answer").last.wait_for()
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    streamed = _watched(page, lambda: _ask(page, sizes))
    # Before it is scrolled away, and with that out of the page.
    whole = f"{sizes.studio_tokens - 1}@" in page.locator("article.answer").last.inner_text()
    scrolled = _watched(page, lambda: _scroll(page))
    raw["studio_streaming"], raw["studio_scrolling"] = streamed, scrolled
    page.close()
    about = f"{sizes.studio_tokens} tokens at 100/s in a conversation of {sizes.studio_messages} messages"
    longest = float(max(streamed["tasks"], default=0)) if whole else float("nan")
    note = about if whole else f"{about}: the end of the answer was never shown"
    return [
        Row("longest task while streaming", longest, "ms", Bar(LONG_TASK_MS), note),
        Row(
            "frames a second while streaming",
            _rate(streamed["frames"]),
            "",
            None,
            f"longest frame {max(streamed['frames'], default=0):.0f} ms",
        ),
        Row("longest task while scrolling through it", float(max(scrolled["tasks"], default=0)), "ms"),
        Row("frames a second while scrolling", _rate(scrolled["frames"]), ""),
    ]


def _ask(page: Page, sizes: Sizes) -> None:
    from playwright.sync_api import TimeoutError as TooLate  # noqa: PLC0415  as above

    field = page.get_by_label("Your message")
    field.fill("And now the last tide, at length.")
    field.press("Enter")
    last_token = f"{sizes.studio_tokens - 1}@"
    with suppress(TooLate):  # then the row has no value, and says why
        page.locator("article.answer").last.get_by_text(last_token).first.wait_for(timeout=SHOWN_WITHIN_MS)


def _scroll(page: Page) -> None:
    page.mouse.move(640, 300)
    for _ in range(40):
        page.mouse.wheel(0, -2000)
        page.wait_for_timeout(25)


def _watched(page: Page, act: Callable[[], None]) -> dict[str, list[float]]:
    page.evaluate("() => { window.seen.tasks = []; window.seen.frames = []; }")
    act()
    found: dict[str, list[float]] = page.evaluate("() => window.seen")
    return found


def _rate(frames: list[float]) -> float:
    taken = sum(frames)
    return round(len(frames) / taken * 1000, 1) if taken else float("nan")
