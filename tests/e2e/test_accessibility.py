"""No page has a serious fault by axe-core's rules for WCAG 2.2 A and AA: light and dark, desktop and phone."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, ask, sign_in
from tests.stack import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = {"serious", "critical"}
OPEN_PLACES = ("/sign-in", "/welcome/none", "/nothing-here")
PLACES = (
    "/chat",
    "/image",
    "/image/gallery",
    "/voice",
    "/jobs",
    "/assistants",
    "/assistants/new",
    "/assistants/import",
    "/models",
    "/me",
)
LOOKS = {"light-desktop": ("light", 1280), "dark-phone": ("dark", 390)}


@cache
def axe() -> str:
    return (ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def faults(page: Page) -> list[str]:
    """The serious findings on the page as it stands, each with the first element that has it."""
    page.evaluate(axe())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{page.url}: {each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_has_a_serious_fault(
    browser: Browser, studio: str, studio_admin: tuple[str, str], look: str
) -> None:
    scheme, width = LOOKS[look]
    context = browser.new_context(
        base_url=studio,
        locale="en-GB",
        color_scheme=scheme,  # type: ignore[arg-type]  # one of the two words
        viewport={"width": width, "height": 844},
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    found: list[str] = []
    for place in OPEN_PLACES:
        page.goto(place)
        page.wait_for_load_state("networkidle")
        found += faults(page)
    sign_in(page, *studio_admin)
    page.wait_for_url("**/chat")
    for place in PLACES:
        page.goto(place)
        page.wait_for_load_state("networkidle")
        found += faults(page)
    page.goto("/chat")
    ask(page, "Hello, who are you?")
    expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    found += faults(page)
    page.get_by_role("navigation", name="Pages").get_by_role("button", name="Jobs").click()
    expect(page.get_by_role("list", name="Recently ended")).to_be_visible()
    found += faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Go to: Models")).to_be_visible()
    found += faults(page)
    page.keyboard.type("shortcuts")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    found += faults(page)
    context.close()
    assert found == []
