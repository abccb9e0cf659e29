"""Keeping order in a real browser: folders, assistants, models side by side, and two windows that agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, ask, ended, sign_in, stored
from tests.e2e.test_accessibility import faults
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]


def add_conversation(page: Page, stack: Stack, title: str, max_tokens: int = 200) -> str:
    """A conversation that was had elsewhere; its id."""
    file = {
        "title": title,
        "params": {"max_tokens": max_tokens},
        "messages": [
            {"id": "q", "parent": None, "role": "user", "content": f"About {title}?"},
            {"id": "a", "parent": "q", "role": "assistant", "content": f"All about {title}."},
        ],
    }
    made = page.request.post(
        "/api/v1/conversations/import", data=file, headers={"Authorization": f"Bearer {stack.keys['ada']}"}
    )
    return str(made.json()["id"])


def forget(page: Page, stack: Stack) -> None:
    """Delete what is open, and stop what it still has written."""
    conversation = page.url.rpartition("/")[2]
    page.request.delete(
        f"/api/v1/conversations/{conversation}", headers={"Authorization": f"Bearer {stack.keys['ada']}"}
    )


# --- folders


def add_folder(page: Page, name: str) -> Locator:
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Folder name").fill(name)
    page.get_by_label("Folder name").press("Enter")
    expect(folder_of(page, name)).to_be_visible()
    return folder_of(page, name)


def folder_of(page: Page, name: str) -> Locator:
    return page.locator("li.folder").filter(
        has=page.get_by_role("button", name=name, expanded=True).or_(
            page.get_by_role("button", name=name, expanded=False)
        )
    )


def row(place: Page | Locator, title: str) -> Locator:
    return place.locator("li.conversation").filter(has_text=title)


def open_menu(place: Locator) -> Locator:
    place.hover()
    place.get_by_role("button", name="More for").first.click()
    return place.locator(".menu:popover-open")


def test_a_folder_is_made_filled_by_menu_and_by_mouse_and_deleted_with_nothing_lost(
    signed_in: Page, stack: Stack
) -> None:
    for title in ("Tides", "Boats"):
        add_conversation(signed_in, stack, title)
    signed_in.goto("/chat")
    folder = add_folder(signed_in, "Sea")
    loose = signed_in.locator(".loose")

    open_menu(row(loose, "Tides")).get_by_role("button", name="Move to a folder").click()
    dialog = signed_in.get_by_role("dialog", name="Where shall “Tides” be?")
    assert faults(signed_in) == []
    dialog.get_by_role("button", name="Sea").click()
    expect(dialog).to_have_count(0)
    expect(row(folder, "Tides").locator("a")).to_be_focused()
    expect(row(loose, "Tides")).to_have_count(0)

    row(loose, "Boats").locator("a").drag_to(folder)
    expect(row(folder, "Boats")).to_be_visible()
    expect(folder.locator(".fold")).to_contain_text("2 conversations")

    signed_in.reload()
    expect(row(folder, "Boats")).to_be_visible()
    folder.locator(".fold").click()
    expect(row(folder, "Boats")).to_have_count(0)
    signed_in.reload()
    expect(folder.locator(".fold")).to_have_attribute("aria-expanded", "false")
    signed_in.get_by_label("Search conversations").fill("all about boats")
    expect(row(signed_in, "Boats")).to_contain_text("Sea")
    signed_in.get_by_label("Search conversations").fill("")

    open_menu(folder.locator(".head")).get_by_role("button", name="Rename the folder").click()
    signed_in.get_by_label("Folder name").fill("Ocean")
    signed_in.get_by_label("Folder name").press("Enter")
    folder = folder_of(signed_in, "Ocean")
    open_menu(folder.locator(".head")).get_by_role("button", name="Delete the folder").click()
    notice = signed_in.get_by_role("status").filter(has_text="The folder “Ocean” is deleted")
    expect(notice).to_contain_text("Its 2 conversations stay, in no folder.")
    expect(row(loose, "Boats")).to_be_visible()
    notice.get_by_role("button", name="Undo").click()
    expect(folder).to_be_visible()
    expect(row(loose, "Boats")).to_have_count(0)
    open_menu(folder.locator(".head")).get_by_role("button", name="Delete the folder").click()
    signed_in.reload()
    expect(row(loose, "Boats")).to_be_visible()
    expect(row(loose, "Tides")).to_be_visible()
    expect(folder).to_have_count(0)


# --- assistants

MODELFILE = '''FROM demo-chat
SYSTEM """You are a pirate.
Say arr."""
PARAMETER num_ctx 4096
PARAMETER temperature 0.8
MESSAGE user Hello
MESSAGE assistant Arr!
GREET everybody
'''


def test_a_modelfile_is_imported_its_bad_lines_are_named_and_its_assistant_begins_a_chat(
    signed_in: Page,
) -> None:
    signed_in.get_by_role("link", name="Assistants").click()
    signed_in.get_by_role("link", name="Import a Modelfile").first.click()
    signed_in.get_by_label("Name").fill("Pirate")
    signed_in.get_by_label("Modelfile", exact=True).fill(MODELFILE)
    notes = signed_in.locator(".notes")
    expect(notes).to_contain_text("2 lines are left out")
    expect(notes.get_by_role("button")).to_have_text(
        [
            "Line 4: PARAMETER num_ctx is not used here.",
            "Line 8: 'GREET' is no instruction.",
        ]
    )
    expect(signed_in.locator(".numbers .wrong")).to_have_text(["4", "8"])
    expect(notes).to_contain_text("model demo-chat · a system prompt of 26 characters · 1 parameter")
    signed_in.get_by_role("button", name="Make the assistant").click()
    expect(signed_in.get_by_label("System prompt")).to_have_value("You are a pirate.\nSay arr.")
    expect(signed_in.get_by_label("Temperature")).to_have_value("0.8")
    expect(signed_in.get_by_label("Message 2", exact=True)).to_have_value("Arr!")

    signed_in.get_by_label("Most tokens of an answer").fill("20")
    signed_in.reload()
    expect(signed_in.get_by_label("Most tokens of an answer")).to_have_value("20")
    signed_in.get_by_role("button", name="Save").click()
    signed_in.locator("footer").get_by_role("link", name="Start a chat").click()
    expect(signed_in.get_by_role("heading", name="Pirate")).to_be_visible()
    ask(signed_in, "Who are you?")
    expect(signed_in.locator("article.answer")).to_have_attribute("aria-busy", "false", timeout=JOB_MS)
    begun = signed_in.get_by_role("link", name="Begun with the assistant Pirate")
    expect(begun).to_be_visible()
    conversation = stored(signed_in)
    assert (conversation["system"], conversation["params"]) == (
        "You are a pirate.\nSay arr.",
        {"max_tokens": 20, "temperature": 0.8},
    )
    job = signed_in.request.get(f"/api/v1/jobs/{conversation['messages'][1]['job']}").json()
    assert [turn["content"] for turn in job["input"]["messages"]][1:] == ["Hello", "Arr!", "Who are you?"]
    signed_in.reload()
    begun.click()
    expect(signed_in.get_by_label("Name")).to_have_value("Pirate")


def test_an_assistant_is_written_chosen_in_the_picker_deleted_and_brought_back(signed_in: Page) -> None:
    signed_in.goto("/assistants/new")
    signed_in.get_by_label("Name").fill("Teacher")
    signed_in.get_by_label("Description").fill("Explains with examples")
    signed_in.get_by_role("button", name="Add a message").click()
    signed_in.get_by_label("Message 1", exact=True).fill("Explain tides.")
    signed_in.get_by_label("Temperature").fill("0.4")
    signed_in.get_by_role("button", name="Save").click()
    expect(signed_in.get_by_role("heading", name="Teacher")).to_be_visible()

    signed_in.goto("/chat")
    signed_in.get_by_role("button", name="Model or assistant").click()
    assert faults(signed_in) == []
    signed_in.get_by_role("button", name="Teacher Explains with examples").click()
    expect(signed_in.get_by_role("heading", name="Teacher")).to_be_visible()
    signed_in.get_by_role("link", name="Begun with the assistant Teacher").click()

    signed_in.get_by_role("button", name="Delete").click()
    expect(signed_in.get_by_role("link", name="Teacher")).to_have_count(0)
    signed_in.get_by_role("button", name="Undo").click()
    signed_in.get_by_role("link", name=re.compile("^Teacher")).click()
    expect(signed_in.get_by_label("Message 1", exact=True)).to_have_value("Explain tides.")
    signed_in.reload()
    expect(signed_in.get_by_label("Description")).to_have_value("Explains with examples")


# --- side by side

SECOND_MODEL = """
from apps.catalog.models import Model
model = Model.objects.get(pk="demo-chat")
model.pk, model.name, model.is_default = "second", "The second", False
model.save(force_insert=True)
"""


@pytest.fixture(scope="module")
def second_model(running_stack: Stack) -> Iterator[str]:
    """Another chat model to compare with."""
    running_stack.manage("shell", "-c", SECOND_MODEL)
    yield "The second"
    running_stack.manage(
        "shell", "-c", "from apps.catalog.models import Model; Model.objects.filter(pk='second').delete()"
    )


def compare_with(page: Page, name: str) -> None:
    page.get_by_role("button", name="Model or assistant").click()
    page.get_by_role("button", name="Compare models").click()
    page.get_by_label("Model 2").select_option(label=name)
    page.get_by_role("button", name="Ask side by side").click()


def load(page: Page, stack: Stack, model: str) -> None:
    """Have it answer once: two models begin together only when both are loaded."""
    key = {"Authorization": f"Bearer {stack.keys['ada']}"}
    query = {"query": "Hello?", "model": model, "max_tokens": 1}
    answer = page.request.post("/api/v1/chat", data=query, headers=key, timeout=JOB_MS)
    assert answer.ok, answer.text()


def test_two_models_answer_side_by_side_through_a_reload_and_the_kept_answer_goes_on(
    signed_in: Page, stack: Stack, second_model: str
) -> None:
    load(signed_in, stack, "demo-chat")
    load(signed_in, stack, "second")
    conversation = add_conversation(signed_in, stack, "Rain", max_tokens=1000)
    signed_in.goto(f"/chat/{conversation}")
    compare_with(signed_in, second_model)
    ask(signed_in, "Tell me a long story about rain.")
    columns = signed_in.locator("section.column")
    expect(columns).to_have_count(2)
    for column in columns.all():
        expect(column.locator(".markdown, .fold").first).to_be_visible(timeout=JOB_MS)
    stack.pause("gpu")

    signed_in.reload()
    expect(columns.locator("article.answer[aria-busy=true]")).to_have_count(2)
    columns.nth(0).get_by_role("button", name="Stop").click()
    expect(columns.nth(0)).to_contain_text("Stopping")
    stack.resume("gpu")
    expect(columns.locator("article.answer[aria-busy=false]")).to_have_count(2, timeout=JOB_MS)
    expect(columns.nth(0)).to_contain_text("Stopped")
    expect(columns.nth(1)).not_to_contain_text("Stopped")

    question, first, second = ended(signed_in)["messages"][2:]
    assert stored(signed_in)["current"] == question["id"], "nothing is decided yet"
    assert [first["model"], second["model"]] == ["demo-chat", "second"]
    assert [first["state"], second["state"]] == ["stopped", "done"]
    seen = columns.nth(1).locator(".markdown").inner_text()
    columns.nth(1).get_by_role("button", name="Keep this answer").click()
    expect(columns).to_have_count(0)
    kept = signed_in.locator("article.answer").last
    expect(kept).to_contain_text("2/2")
    assert kept.locator(".markdown").inner_text() == seen
    expect(signed_in.get_by_label("Your message")).to_be_visible()
    signed_in.reload()
    expect(kept).to_contain_text("2/2")
    assert stored(signed_in)["current"] == second["id"]

    signed_in.get_by_role("button", name="Show the answers side by side").click()
    expect(columns).to_have_count(2)
    columns.nth(0).get_by_role("button", name="Keep this answer").click()
    expect(kept).to_contain_text("1/2")


def test_a_new_chat_begins_with_two_answers_on_a_phone(
    signed_in: Page, stack: Stack, second_model: str
) -> None:
    signed_in.set_viewport_size({"width": 390, "height": 844})
    compare_with(signed_in, second_model)
    ask(signed_in, "Hello?")
    tabs = signed_in.get_by_role("navigation", name="Answers").get_by_role("button")
    expect(tabs).to_have_count(2)
    second = signed_in.get_by_role("region", name=second_model)
    expect(second).not_to_be_in_viewport(ratio=0.5)
    tabs.nth(1).click()
    expect(second).to_be_in_viewport(ratio=0.9)
    expect(tabs.nth(1)).to_have_attribute("aria-current", "true")
    assert len(stored(signed_in)["messages"]) == 3
    assert faults(signed_in) == []
    second.get_by_role("button", name="Keep this answer").click()
    expect(signed_in.locator("article.answer")).to_contain_text("2/2")
    forget(signed_in, stack)


# --- two windows


def test_what_one_window_does_the_other_shows_without_being_touched(
    signed_in: Page, other_context: BrowserContext, stack: Stack, studio_admin: tuple[str, str]
) -> None:
    conversation = add_conversation(signed_in, stack, "Harbours")
    other = other_context.new_page()
    sign_in(other, *studio_admin)
    other.wait_for_url("**/chat")
    other.goto(f"/chat/{conversation}")
    signed_in.goto(f"/chat/{conversation}")
    expect(other.locator("article.answer")).to_have_count(1)

    ask(signed_in, "Which is the largest?")
    expect(other.locator("article.question").last).to_contain_text("Which is the largest?")
    expect(other.locator("article.answer")).to_have_count(2)
    expect(other.locator("article.answer").last).to_have_attribute("aria-busy", "false", timeout=JOB_MS)

    open_menu(row(signed_in, "Harbours")).get_by_role("button", name="Rename").click()
    signed_in.get_by_label("Title", exact=True).fill("Ports")
    signed_in.get_by_label("Title", exact=True).press("Enter")
    expect(other.get_by_role("heading", name="Ports")).to_be_visible()
    add_folder(signed_in, "Travel")
    expect(folder_of(other, "Travel")).to_be_visible()
    signed_in.locator("article.answer").last.get_by_role("button", name="Good answer").click()
    rated = other.locator("article.answer").last.get_by_role("button", name="Good answer")
    expect(rated).to_have_attribute("aria-pressed", "true")

    open_menu(row(signed_in, "Ports")).get_by_role("button", name="Delete").click()
    expect(row(other, "Ports")).to_have_count(0)
    expect(other.get_by_role("alert")).to_contain_text("There is no conversation")
    signed_in.get_by_role("button", name="Undo").click()
    expect(row(other, "Ports")).to_be_visible()
