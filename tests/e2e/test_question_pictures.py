"""Pictures in questions in a real browser: shown to a model that reads them, kept from one that does not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from benchmarks.fake_upstream import FakeUpstream, Script, Settings, running
from tests.e2e.pages import CHROMIUM, JOB_MS, ask, stored
from tests.e2e.test_accessibility import faults
from tests.e2e.test_organise import forget
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]

EYES = """
from apps.catalog.models import Model
Model.objects.create(pk="eyes", name="Eyes", medium="chat", engine="openai", source={url!r}, enabled=True,
                     options={{"model": "m", "vision": True}})
"""
NO_EYES = "from apps.catalog.models import Model; Model.objects.filter(pk='eyes').delete()"


@pytest.fixture
def eyes(running_stack: Stack) -> Iterator[FakeUpstream]:
    """The server behind a chat model that reads pictures."""
    with running(Settings(Script(rate=200.0, tokens=20))) as upstream:
        upstream.keeps_bodies = True
        running_stack.manage("shell", "-c", EYES.format(url=upstream.url))
        yield upstream
        running_stack.manage("shell", "-c", NO_EYES)


def picture(colour: str) -> FilePayload:
    file = BytesIO()
    Image.new("RGB", (320, 200), colour).save(file, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def choose_model(page: Page, *, with_eyes: bool) -> None:
    page.get_by_role("button", name="Model or assistant").click()
    choices = page.locator("button.choice:enabled")
    reader = choices.filter(has_text="reads pictures")
    expect(reader).to_have_count(1)
    (reader if with_eyes else choices.filter(has_not_text="reads pictures")).first.click()


def attach(page: Page, *files: FilePayload) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))


def chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Attached pictures").get_by_role("listitem")


def test_pictures_are_attached_survive_a_reload_and_are_shown_to_the_model(
    signed_in: Page, stack: Stack, eyes: FakeUpstream
) -> None:
    signed_in.reload()
    choose_model(signed_in, with_eyes=True)
    red, blue = picture("red"), picture("blue")
    attach(signed_in, red, blue)
    expect(chips(signed_in)).to_have_count(2)
    expect(chips(signed_in).locator("img")).to_have_count(2)
    signed_in.reload()
    expect(chips(signed_in).locator("img")).to_have_count(2)
    signed_in.get_by_role("button", name="Remove blue.png").click()
    expect(chips(signed_in)).to_have_count(1)
    assert faults(signed_in) == []

    ask(signed_in, "Which colour is this?")
    shown = signed_in.get_by_role("list", name="Pictures of the question").get_by_role("img")
    expect(shown).to_have_count(1)
    expect(signed_in.locator("article.answer").last).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    expect(chips(signed_in)).to_have_count(0)
    assert len(stored(signed_in)["messages"][0]["images"]) == 1
    text, part = eyes.bodies[0]["messages"][-1]["content"]
    assert text["text"] == "Which colour is this?"
    assert base64.b64decode(part["image_url"]["url"].partition(",")[2]) == red["buffer"]
    signed_in.reload()
    expect(shown).to_have_js_property("naturalWidth", 320)
    assert faults(signed_in) == []
    forget(signed_in, stack)


def test_a_model_that_reads_none_is_named_and_nothing_is_lost(signed_in: Page, eyes: FakeUpstream) -> None:
    signed_in.reload()
    choose_model(signed_in, with_eyes=True)
    attach(signed_in, picture("teal"))
    expect(chips(signed_in).locator("img")).to_have_count(1)
    signed_in.get_by_label("Your message").fill("What is this?")
    send = signed_in.get_by_role("button", name="Send")
    expect(send).to_be_enabled()
    choose_model(signed_in, with_eyes=False)
    expect(signed_in.get_by_text("Until then your pictures stay here")).to_be_visible()
    expect(send).to_be_disabled()
    expect(chips(signed_in)).to_have_count(1)
    choose_model(signed_in, with_eyes=True)
    expect(send).to_be_enabled()
    signed_in.get_by_role("button", name="Remove teal.png").click()
    expect(chips(signed_in)).to_have_count(0)
    assert eyes.counters.requests == 0
