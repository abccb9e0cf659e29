"""Takes a picture of every page for `docs/screens`: `python -m tests.e2e.screens`, or `make screens`.

Starts the product with people and content of its own. Each page is taken on a desktop and on a phone, light and dark,
in English and Chinese, and laid out by `docs/screens/README.md`.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.pages import CHROMIUM, JOB_MS, ask, sign_in
from tests.stack import PASSWORD, PEOPLE, ROOT, Stack

FOLDER = ROOT / "docs" / "screens"
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}
THEMES, LOCALES = ("light", "dark"), ("en", "zh")
QUESTIONS = {"en": "What can this studio do?", "zh": "这个工作室能做什么？"}
PROMPTS = {
    "en": "three red circles on a blue background",
    "zh": "夕阳下，湖边有一座红色屋顶的房子和两棵松树",
}
TEXTS = {"en": "Everything stays on this machine.", "zh": "所有内容都留在这台机器上。"}
QUALITY = 82


def main() -> int:
    """Start, fill, take, end."""
    if CHROMIUM is None:
        sys.stderr.write("There is no Chromium on the PATH; install the package chromium.\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        names = [name for locale in LOCALES for name in take_all(browser, stack.url(), locale)]
        browser.close()
    (FOLDER / "README.md").write_text(overview(sorted(set(names))), encoding="utf-8")
    return 0


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """The product as people get it, with the trained demo models."""
    stack = Stack(folder, {"AIGC_DEMO_MODELS_DIR": str(ROOT / "gpu_workers" / "demo")})
    try:
        stack.start_all()
        yield stack
    finally:
        stack.stop()


def take_all(browser: Browser, url: str, locale: str) -> Iterator[str]:
    """Every page of one person, who reads this language; yields the pages' names."""
    person = PEOPLE[LOCALES.index(locale)]
    places: dict[str, str] = {"sign-in": "/sign-in", "not-found": "/nothing-here"}
    # What is typed has the person's language; the pages are English, for their buttons to be found.
    with visitor(browser, url, "en", "light", "desktop") as page:
        sign_in(page, person, PASSWORD)
        page.wait_for_url("**/chat")
        places["chat-empty"] = "/chat"
        places["chat"] = fill_chat(page, QUESTIONS[locale])
        fill_image(page, PROMPTS[locale])
        fill_voice(page, TEXTS[locale])
        state = page.context.storage_state()
    places |= {name: f"/{name}" for name in ("assistants", "image", "voice", "jobs", "models", "me")}
    places["gallery"] = "/image/gallery"
    for theme, width in product(THEMES, WIDTHS):
        for name, place in places.items():
            open_to_all = name in {"sign-in", "not-found"}
            with visitor(browser, url, locale, theme, width, state=None if open_to_all else state) as page:
                page.goto(place)
                page.wait_for_load_state("networkidle")
                save(page, f"{name}-{width}-{theme}-{locale}")
            yield name


@contextmanager
def visitor(
    browser: Browser, url: str, locale: str, theme: str, width: str, *, state: object = None
) -> Iterator[Page]:
    """A page that looks as it should."""
    wide, high = WIDTHS[width]
    context = browser.new_context(
        base_url=url,
        locale={"en": "en-GB", "zh": "zh-CN"}[locale],
        viewport={"width": wide, "height": high},
        storage_state=state,  # type: ignore[arg-type]  # what storage_state() gave
        reduced_motion="reduce",
        is_mobile=width == "phone",
        has_touch=width == "phone",
    )
    wanted = {"studio.theme": json.dumps(theme), "studio.locale": json.dumps(locale)}
    context.add_init_script(
        f"for (const [k, v] of Object.entries({json.dumps(wanted)})) localStorage.setItem(k, v)"
    )
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def fill_chat(page: Page, question: str) -> str:
    """A conversation; its path."""
    ask(page, question)
    expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    return urlsplit(page.url).path


def fill_image(page: Page, prompt: str) -> None:
    """A picture."""
    page.goto("/image")
    page.get_by_label("Prompt").locator("visible=true").first.fill(prompt)
    page.get_by_role("button", name="Generate").locator("visible=true").click()
    expect(page.locator("figure .picture img:not(.preview)")).to_be_visible(timeout=JOB_MS)


def fill_voice(page: Page, text: str) -> None:
    """A speech."""
    page.goto("/voice")
    page.get_by_label("Text to speak").locator("visible=true").fill(text)
    page.get_by_role("button", name=re.compile("^Speak")).locator("visible=true").click()
    expect(page.get_by_role("link", name="Download WAV")).to_be_visible(timeout=JOB_MS)


def save(page: Page, name: str) -> None:
    """As WebP, a fifth of the PNG's size."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.save(FOLDER / f"{name}.webp", quality=QUALITY, method=6)


def overview(names: list[str]) -> str:
    """A page that shows them all."""
    parts = [
        "# Screens",
        "Made by `make screens` with the demo models. From left to right: light and dark, English and Chinese.",
    ]
    for name in names:
        parts.append(f"## {name.replace('-', ' ').capitalize()}")
        for width in WIDTHS:
            share = {"desktop": 390, "phone": 190}[width]
            files = [f"{name}-{width}-{theme}-{locale}.webp" for locale in LOCALES for theme in THEMES]
            parts.append(
                "\n".join(
                    f'<img src="{file}" width="{share}" alt="{file.removesuffix(".webp")}">' for file in files
                )
            )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
