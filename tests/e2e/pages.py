"""What people do in the pages, for the tests that watch them."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# The first job of a medium also loads its model.
JOB_MS = 120_000
# The address of a conversation that the server knows.
LASTING = re.compile(r"/chat/[0-9a-f]{8}-")


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your message").fill(question)
    page.get_by_label("Your message").press("Enter")


def stored(page: Page) -> dict[str, Any]:
    """The conversation that is open, as the server has it."""
    page.wait_for_url(LASTING)
    found: dict[str, Any] = page.request.get(f"/api/v1/conversations/{page.url.rpartition('/')[2]}").json()
    return found


def ended(page: Page) -> dict[str, Any]:
    """The same with all answers written: the page hears of an end a little before it is stored."""
    found = stored(page)
    while any(message["state"] == "running" for message in found["messages"]):
        page.wait_for_timeout(100)
        found = stored(page)
    return found
