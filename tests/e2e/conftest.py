"""A browser, its pages and who is signed in there.

`studio` is the base URL of the running product; `studio_admin` the email and password of its admin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import CHROMIUM, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. In a container its own sandbox often cannot start; it opens only our pages here."""
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, studio: str) -> Iterator[BrowserContext]:
    """A fresh visitor who reads English."""
    made = new_visitor(browser, studio)
    yield made
    made.close()


@pytest.fixture
def other_context(browser: Browser, studio: str) -> Iterator[BrowserContext]:
    """Another device, with a storage of its own."""
    made = new_visitor(browser, studio)
    yield made
    made.close()


def new_visitor(browser: Browser, studio: str) -> BrowserContext:
    made = browser.new_context(base_url=studio, locale="en-GB", accept_downloads=True)
    made.set_default_timeout(20_000)
    return made


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must not break its content security policy nor throw."""
    faults: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None
    )
    yield opened
    assert faults == []


@pytest.fixture
def signed_in(page: Page, studio_admin: tuple[str, str]) -> Page:
    """The admin's page."""
    sign_in(page, *studio_admin)
    page.wait_for_url(re.compile(r"/chat$"))
    return page
