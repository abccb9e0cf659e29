"""What is everywhere in the studio: the job tray, commands and shortcuts, panels, and the way to a full model."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Locator, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, ask
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]
WISHES: dict[str, dict[str, Any]] = {
    "a red square": {"kind": "image", "input": {"prompt": "a red square", "seed": 1}},
    "a blue circle": {"kind": "image", "input": {"prompt": "a blue circle", "seed": 2}},
    "Good evening.": {"kind": "voice", "input": {"text": "Good evening.", "language": "en"}},
}

MAKE_STAFF = """
from apps.accounts.models import User
User.objects.filter(email="ada@example.org").update(is_staff={0}, is_superuser={0})
"""


def submit(page: Page, stack: Stack, job: dict[str, Any]) -> str:
    """A job of the same person, as a program or another device would ask for it; its id."""
    key = {"Authorization": f"Bearer {stack.keys['ada']}"}
    made: dict[str, Any] = page.request.post("/api/v1/jobs", data=job, headers=key).json()
    return str(made["id"])


def status_of(page: Page, job_id: str) -> str:
    return str(page.request.get(f"/api/v1/jobs/{job_id}").json()["status"])


def wait_until_idle(page: Page) -> None:
    """Until nothing runs that an earlier test has left."""
    deadline = time.monotonic() + JOB_MS / 1000
    while page.request.get("/api/v1/jobs?status=queued,running").json()["results"]:
        assert time.monotonic() < deadline, "jobs of earlier tests do not end"
        time.sleep(0.2)


def tray(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Job tray")


def jobs_button(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Pages").get_by_role("button", name="Jobs")


def open_palette(page: Page, words: str) -> Locator:
    """The palette with what these words find."""
    # A key that is pressed before the page listens is lost.
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Commands and search")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(words)
    return palette


def test_the_tray_shows_three_jobs_and_stops_one_while_the_others_end(signed_in: Page, stack: Stack) -> None:
    wait_until_idle(signed_in)
    stack.pause("gpu")
    try:
        jobs = {title: submit(signed_in, stack, wish) for title, wish in WISHES.items()}
        jobs_button(signed_in).click()
        running = tray(signed_in).get_by_role("list", name="Running and waiting").get_by_role("listitem")
        expect(running).to_have_count(3)
        expect(jobs_button(signed_in).locator(".count")).to_contain_text("3")
        expect(running.filter(has_text="a blue circle")).to_contain_text("in line")
        running.filter(has_text="a blue circle").get_by_role("button", name="Stop").click()
        expect(running).to_have_count(2)
    finally:
        stack.resume("gpu")
    ended = tray(signed_in).get_by_role("list", name="Recently ended").get_by_role("listitem")
    expect(ended.filter(has_text="a blue circle")).to_contain_text("stopped")
    expect(ended.filter(has_text="a red square")).to_contain_text("done", timeout=JOB_MS)
    expect(ended.filter(has_text="Good evening.")).to_contain_text("done", timeout=JOB_MS)
    expect(jobs_button(signed_in).locator(".count")).to_have_count(0)
    ended.filter(has_text="a red square").get_by_role("link", name="Open").click()
    expect(signed_in.locator("figure .picture img:not(.preview)")).to_be_visible()
    expect(tray(signed_in)).to_be_visible()
    assert status_of(signed_in, jobs["a blue circle"]) == "cancelled"


def test_a_stopped_job_is_done_again_from_the_tray(signed_in: Page, stack: Stack) -> None:
    wait_until_idle(signed_in)
    stack.pause("gpu")
    try:
        job_id = submit(
            signed_in, stack, {"kind": "voice", "input": {"text": "Once more.", "language": "en"}}
        )
        jobs_button(signed_in).click()
        tray(signed_in).get_by_role("button", name="Stop: Once more.").click()
        tray(signed_in).get_by_role("button", name="Try again: Once more.").click()
        running = tray(signed_in).get_by_role("list", name="Running and waiting").get_by_role("listitem")
        expect(running.filter(has_text="Once more.")).to_have_count(1)
    finally:
        stack.resume("gpu")
    ended = tray(signed_in).get_by_role("list", name="Recently ended").get_by_role("listitem")
    said = ended.filter(has_text="Once more.")
    expect(said.filter(has_text="done")).to_have_count(1, timeout=JOB_MS)
    expect(said.filter(has_text="stopped")).to_have_count(1)
    assert status_of(signed_in, job_id) == "cancelled"


def test_the_tray_covers_neither_composer_nor_picture(signed_in: Page) -> None:
    for place, covered in (("/chat", "Your message"), ("/image", None)):
        signed_in.goto(place)
        jobs_button(signed_in).click()
        side = tray(signed_in).bounding_box()
        work = signed_in.locator("#main")
        other = (signed_in.get_by_label(covered) if covered else work).bounding_box()
        assert side is not None
        assert other is not None
        assert side["x"] + side["width"] <= other["x"]
        jobs_button(signed_in).click()
        expect(tray(signed_in)).to_have_count(0)


def test_on_a_phone_the_tray_is_a_sheet(signed_in: Page) -> None:
    signed_in.set_viewport_size({"width": 390, "height": 844})
    jobs_button(signed_in).click()
    sheet = signed_in.get_by_role("dialog", name="Job tray")
    expect(sheet).to_be_visible()
    signed_in.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_the_palette_does_all_by_keyboard(signed_in: Page, stack: Stack) -> None:
    composer = signed_in.get_by_label("Your message")
    composer.focus()
    keyboard = signed_in.keyboard
    palette = signed_in.get_by_role("dialog", name="Commands and search")
    field = palette.get_by_role("combobox")

    keyboard.press("Control+k")
    expect(field).to_be_focused()
    for _ in range(3):
        keyboard.press("Tab")
    assert palette.evaluate(
        "dialog => dialog.contains(document.activeElement) || document.activeElement === document.body"
    )
    keyboard.press("Escape")
    expect(palette).to_have_count(0)
    expect(composer).to_be_focused()

    open_palette(signed_in, "语音")
    option = palette.get_by_role("option", selected=True)
    expect(option).to_have_text("Go to: Voice")
    assert field.get_attribute("aria-activedescendant") == option.get_attribute("id")
    keyboard.press("Enter")
    expect(signed_in).to_have_url(re.compile(r"/voice$"))

    open_palette(signed_in, "dark")
    keyboard.press("Enter")
    expect(signed_in.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_conversation_is_found_by_what_was_said_in_it(signed_in: Page, stack: Stack) -> None:
    file = {
        "title": "A small thing",
        "messages": [
            {"id": "q", "parent": None, "role": "user", "content": "Do otters hold hands?"},
            {"id": "a", "parent": "q", "role": "assistant", "content": "They do, asleep."},
        ],
    }
    key = {"Authorization": f"Bearer {stack.keys['ada']}"}
    signed_in.request.post("/api/v1/conversations/import", data=file, headers=key)
    signed_in.goto("/voice")
    palette = open_palette(signed_in, "otters hold")
    expect(palette.get_by_role("option", name="A small thing")).to_be_visible()
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("article.question")).to_contain_text("otters")


def test_all_jobs_are_stopped_only_after_a_question(signed_in: Page, stack: Stack) -> None:
    wait_until_idle(signed_in)
    stack.pause("gpu")
    try:
        jobs = [submit(signed_in, stack, wish) for wish in WISHES.values()]
        signed_in.reload()
        expect(jobs_button(signed_in).locator(".count")).to_contain_text("3")
        palette = open_palette(signed_in, "stop all")
        signed_in.keyboard.press("Enter")
        expect(palette.get_by_role("alert")).to_contain_text("Stop all 3 jobs?")
        # The answer that is chosen at first is no.
        expect(palette.get_by_role("option", selected=True)).to_have_text("No, leave it")
        signed_in.keyboard.press("ArrowUp")
        signed_in.keyboard.press("Enter")
        expect(jobs_button(signed_in).locator(".count")).to_have_count(0)
    finally:
        stack.resume("gpu")
    assert {status_of(signed_in, job) for job in jobs} == {"cancelled"}


def test_the_sheet_lists_what_is_bound_and_letters_can_be_turned_off(signed_in: Page) -> None:
    sheet = signed_in.get_by_role("dialog", name="Keyboard shortcuts")
    composer = signed_in.get_by_label("Your message")
    composer.fill("why")
    composer.press("?")
    expect(sheet).to_have_count(0)
    expect(composer).to_have_value("why?")

    signed_in.locator("#main").focus()
    signed_in.keyboard.press("?")
    expect(sheet).to_contain_text("Fold or unfold the list")
    expect(sheet).to_contain_text("Stop the answer")
    expect(sheet).not_to_contain_text("Generate")
    sheet.get_by_label("Use shortcuts of single letters").uncheck()
    signed_in.keyboard.press("Escape")
    signed_in.keyboard.press("j")
    expect(tray(signed_in)).to_have_count(0)

    signed_in.goto("/image")
    open_palette(signed_in, "shortcuts")
    signed_in.keyboard.press("Enter")
    expect(sheet).to_contain_text("Generate")
    sheet.get_by_label("Use shortcuts of single letters").check()
    signed_in.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    signed_in.keyboard.press("g")
    signed_in.keyboard.press("v")
    expect(signed_in).to_have_url(re.compile(r"/voice$"))


def width_of(panel: Locator) -> float:
    box = panel.bounding_box()
    assert box is not None
    return box["width"]


def test_a_panel_is_dragged_and_folded_and_stays_so_after_a_reload(signed_in: Page) -> None:
    panel = signed_in.get_by_role("complementary", name="List")
    edge = signed_in.get_by_role("separator", name="Width of: List")
    before = width_of(panel)
    box = edge.bounding_box()
    assert box is not None
    signed_in.mouse.move(box["x"] + 4, 300)
    signed_in.mouse.down()
    signed_in.mouse.move(box["x"] + 64, 300, steps=4)
    signed_in.mouse.up()
    assert width_of(panel) == before + 60
    edge.focus()
    signed_in.keyboard.press("ArrowLeft")
    assert width_of(panel) == before + 44
    assert edge.get_attribute("aria-valuenow") == str(int(before) + 44)
    signed_in.reload()
    assert width_of(panel) == before + 44

    signed_in.get_by_role("button", name="Hide the list").click()
    expect(panel).to_have_count(0)
    signed_in.reload()
    expect(signed_in.get_by_role("button", name="Show the list")).to_be_visible()
    expect(panel).to_have_count(0)
    signed_in.keyboard.press("[")
    assert width_of(panel) == before + 44


def test_the_mark_beside_an_answer_leads_to_how_a_full_model_is_connected(signed_in: Page) -> None:
    ask(signed_in, "What can the studio do?")
    answer = signed_in.locator("article.answer")
    expect(answer).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    answer.get_by_role("link", name=re.compile("demo model|random weights")).click()
    expect(signed_in).to_have_url(re.compile(r"/models$"))
    expect(signed_in.get_by_text("Ask whoever gave you your account")).to_be_visible()
    signed_in.get_by_text("From a local folder, without the internet").click()
    expect(signed_in.get_by_text("hf download")).to_be_visible()
    expect(signed_in.get_by_role("button", name=re.compile("^Enable"))).to_have_count(0)


def test_staff_enable_a_model_and_begin_a_new_entry(signed_in: Page, stack: Stack) -> None:
    stack.manage("shell", "-c", MAKE_STAFF.format(True))
    try:
        signed_in.goto("/models")
        row = signed_in.locator("#model-deepseek-api")
        row.get_by_role("button", name="Enable").click()
        expect(row).to_contain_text("ready to use")
        row.get_by_role("button", name="Disable").click()
        expect(row).to_contain_text("not enabled")
        signed_in.get_by_text("From an OpenAI-style server").click()
        signed_in.locator("details").filter(has_text="OpenAI-style").get_by_role(
            "link", name="Add for chat"
        ).click()
        expect(signed_in.get_by_label("Engine")).to_have_value("openai")
        expect(signed_in.get_by_label("Source")).to_have_value("http://127.0.0.1:11434/v1")
    finally:
        stack.manage("shell", "-c", MAKE_STAFF.format(False))


def test_the_first_visit_shows_three_questions_and_the_way_to_a_full_model(signed_in: Page) -> None:
    expect(signed_in.locator(".examples button")).to_have_count(3)
    signed_in.get_by_role("main").get_by_role("link", name="Connect a full model").click()
    expect(signed_in.get_by_role("heading", name="Connect a full model")).to_be_visible()
