"""The pages in a real browser against the running product: a chat, a picture and a speech, from sign-in to sign-out."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, ask, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]


def wait_for_end(page: Page, job_id: str) -> dict[str, Any]:
    """The job once the server has stored its end, a moment after the stream has told it."""
    deadline = time.monotonic() + 20
    while True:
        job: dict[str, Any] = page.request.get(f"/api/v1/jobs/{job_id}").json()
        if job["finished_at"] is not None or time.monotonic() > deadline:
            return job
        time.sleep(0.1)


def test_a_wrong_password_is_told_and_the_email_stays(page: Page, studio_admin: tuple[str, str]) -> None:
    sign_in(page, studio_admin[0], "not the password")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.get_by_label("Email")).to_have_value(studio_admin[0])


def test_a_stranger_is_sent_to_the_sign_in_and_back(page: Page, studio_admin: tuple[str, str]) -> None:
    page.goto("/voice")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/voice$"))
    page.get_by_label("Email").fill(studio_admin[0])
    page.get_by_label("Password").fill(studio_admin[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/voice$"))


def test_signing_out_closes_the_pages(signed_in: Page) -> None:
    signed_in.goto("/me")
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in).to_have_url(re.compile(r"/sign-in"))
    signed_in.goto("/chat")
    expect(signed_in).to_have_url(re.compile(r"/sign-in"))


def test_a_question_is_answered(signed_in: Page) -> None:
    ask(signed_in, "Hello, who are you?")
    answer = signed_in.locator("article.answer")
    expect(answer).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    expect(answer.locator(".facts")).to_contain_text("token")
    assert answer.locator(".markdown, .fold").count() > 0


def test_stop_keeps_what_was_written(signed_in: Page) -> None:
    ask(signed_in, "Count from one to ten thousand, in words.")
    expect(signed_in.locator("article.answer").locator(".markdown, .fold").first).to_be_visible(
        timeout=JOB_MS
    )
    stop = signed_in.get_by_role("button", name="Stop")
    if stop.is_visible():  # a small model may have ended by itself
        stop.click()
    expect(signed_in.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    job_id = signed_in.request.get("/api/v1/jobs?kind=chat").json()["results"][0]["id"]
    ended = wait_for_end(signed_in, job_id)
    assert ended["status"] in ("cancelled", "succeeded")
    assert signed_in.locator("article.answer").locator(".markdown, .fold").count() > 0


def test_a_picture_is_made_with_one_press(signed_in: Page) -> None:
    signed_in.goto("/image")
    signed_in.get_by_role("button", name="Generate").click()
    made = signed_in.locator("figure .picture img:not(.preview)")
    expect(made).to_be_visible(timeout=JOB_MS)
    assert made.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_text_is_spoken_and_can_be_downloaded(signed_in: Page) -> None:
    signed_in.goto("/voice")
    signed_in.get_by_role("button", name=re.compile("^Speak")).click()
    link = signed_in.get_by_role("link", name="Download WAV")
    expect(link).to_be_visible(timeout=JOB_MS)
    with signed_in.expect_download() as download:
        link.click()
    assert download.value.path().read_bytes().startswith(b"RIFF")


def test_the_job_list_shows_what_was_made_and_opens_it(signed_in: Page) -> None:
    ask(signed_in, "What is a rainbow?")
    expect(signed_in.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    signed_in.goto("/jobs?kind=chat")
    row = signed_in.get_by_role("listitem").filter(has_text="What is a rainbow?").first
    expect(row.locator(".tag")).to_have_text("done")
    row.get_by_role("link", name="What is a rainbow?").click()
    expect(signed_in).to_have_url(re.compile(r"/chat/[0-9a-f]+"))
    expect(signed_in.locator("article.question")).to_contain_text("What is a rainbow?")


def test_a_cut_connection_is_told_and_heals(signed_in: Page, context: BrowserContext) -> None:
    ask(signed_in, "Tell me about the moon.")
    context.set_offline(True)
    expect(signed_in.get_by_role("status").filter(has_text="offline")).to_be_visible(timeout=60_000)
    context.set_offline(False)
    expect(signed_in.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
