"""Conversations in a real browser: reloads, another device, branches, order, ratings and a connection that is gone."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, LASTING, ask, ended, sign_in, stored
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]
# Tokens to be seen while they are written, and enough that a quick machine still writes when a test says stop.
SHORT, LONG = 200, 600


def answer_of(page: Page) -> Locator:
    """The last answer that is shown."""
    return page.locator("article.answer").last


def wait_for_answer(page: Page) -> None:
    expect(page).to_have_url(LASTING)
    expect(answer_of(page)).to_have_attribute("aria-busy", "false", timeout=JOB_MS)


def wait_for_words(page: Page) -> None:
    expect(answer_of(page).locator(".markdown, .fold").first).to_be_visible(timeout=JOB_MS)


def shown(page: Page) -> list[str]:
    """The words of the answers that are shown."""
    return [text.strip() for text in page.locator("article.answer .markdown").all_inner_texts()]


def open_known(
    page: Page, stack: Stack, title: str, question: str, answer: str, *, max_tokens: int = SHORT
) -> None:
    """A conversation that was had elsewhere, opened: nobody has to wait for a model, and its answers are short."""
    file = {
        "title": title,
        "params": {"max_tokens": max_tokens},
        "messages": [
            {"id": "q", "parent": None, "role": "user", "content": question},
            {"id": "a", "parent": "q", "role": "assistant", "content": answer},
        ],
    }
    made = page.request.post(
        "/api/v1/conversations/import", data=file, headers={"Authorization": f"Bearer {stack.keys['ada']}"}
    )
    page.goto(f"/chat/{made.json()['id']}")
    expect(answer_of(page).locator(".markdown")).to_have_text(answer)


def menu_of(page: Page, title: str) -> Locator:
    """The open menu of a conversation in the list."""
    row = page.get_by_role("listitem").filter(has_text=title)
    row.hover()
    row.get_by_role("button", name=f"More for {title}").click()
    return row.locator(".menu")


def rename(page: Page, before: str, after: str) -> None:
    menu_of(page, before).get_by_role("button", name="Rename").click()
    field = page.get_by_label("Title", exact=True)
    field.fill(after)
    field.press("Enter")
    expect(page.get_by_role("link", name=after)).to_be_visible()


def test_a_reload_in_mid_answer_ends_with_the_servers_text(signed_in: Page, stack: Stack) -> None:
    open_known(signed_in, stack, "Stories", "Do you know a story?", "Many.", max_tokens=LONG)
    ask(signed_in, "Tell me a long story about the sea.")
    expect(signed_in.locator("article.answer")).to_have_count(2)
    wait_for_words(signed_in)
    stack.pause("gpu")
    signed_in.reload()
    expect(signed_in.locator("article.question").last).to_contain_text("about the sea")
    expect(answer_of(signed_in)).to_have_attribute("aria-busy", "true")
    stack.resume("gpu")
    wait_for_answer(signed_in)
    # Of a long thread only what is in sight is in the page.
    seen = shown(signed_in)[-1]
    answer = ended(signed_in)["messages"][-1]
    job = signed_in.request.get(f"/api/v1/jobs/{answer['job']}").json()
    assert (answer["state"], answer["content"]) == ("done", job["result"]["text"])
    signed_in.reload()
    expect(answer_of(signed_in)).to_have_attribute("aria-busy", "false")
    wait_for_words(signed_in)
    assert shown(signed_in)[-1] == seen


def test_another_device_has_the_conversation_and_the_answer_that_runs(
    signed_in: Page, other_context: BrowserContext, stack: Stack, studio_admin: tuple[str, str]
) -> None:
    other = other_context.new_page()
    sign_in(other, *studio_admin)
    open_known(signed_in, stack, "Two devices", "How many devices?", "Two.", max_tokens=LONG)
    ask(signed_in, "Tell me about both, at length.")
    expect(signed_in.locator("article.answer")).to_have_count(2)
    wait_for_words(signed_in)
    stack.pause("gpu")
    other.goto("/chat")
    other.get_by_role("link", name="Two devices").click()
    expect(answer_of(other)).to_have_attribute("aria-busy", "true")
    stack.resume("gpu")
    wait_for_answer(signed_in)
    wait_for_answer(other)
    assert shown(other)[-1] == shown(signed_in)[-1]


def test_an_edited_question_is_a_branch_and_the_old_one_stays(signed_in: Page, stack: Stack) -> None:
    open_known(signed_in, stack, "Animals", "What is a cat?", "It purrs.")
    question = signed_in.locator("article.question")
    question.hover()
    question.get_by_role("button", name="Edit the question").click()
    question.get_by_role("textbox").fill("What is a dog?")
    question.get_by_role("textbox").press("Enter")
    expect(question).to_contain_text("What is a dog?")
    expect(question).to_contain_text("2/2")
    wait_for_answer(signed_in)
    question.get_by_role("button", name="Previous version").click()
    expect(question).to_contain_text("What is a cat?")
    expect(answer_of(signed_in)).to_contain_text("It purrs.")
    signed_in.reload()
    expect(question).to_contain_text("What is a cat?")
    assert [each["content"] for each in stored(signed_in)["messages"] if each["role"] == "user"] == [
        "What is a cat?",
        "What is a dog?",
    ]


def test_an_answer_made_again_stands_beside_the_first_and_a_rating_is_kept(
    signed_in: Page, stack: Stack
) -> None:
    open_known(signed_in, stack, "Greetings", "Say hello.", "Hello!")
    answer_of(signed_in).get_by_role("button", name="Answer again").click()
    expect(answer_of(signed_in)).to_contain_text("2/2")
    wait_for_answer(signed_in)
    answer_of(signed_in).get_by_role("button", name="Bad answer").click()
    reason = signed_in.get_by_label("What was wrong?")
    reason.fill("Too loud.")
    with signed_in.expect_response(lambda reply: "Too loud." in (reply.request.post_data or "")):
        reason.press("Enter")
    expect(answer_of(signed_in)).to_contain_text("You said: Too loud.")
    first, second = (each for each in ended(signed_in)["messages"] if each["role"] == "assistant")
    assert (first["rating"], second["rating"], second["rating_reason"]) == (0, -1, "Too loud.")
    signed_in.reload()
    expect(answer_of(signed_in).get_by_role("button", name="Bad answer")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_conversation_is_renamed_pinned_found_archived_and_brought_back(
    signed_in: Page, stack: Stack
) -> None:
    open_known(signed_in, stack, "A question", "Why do rainbows have colours?", "Water bends light.")
    rename(signed_in, "A question", "Bows of rain")
    menu_of(signed_in, "Bows of rain").get_by_role("button", name="Pin").click()
    pinned = signed_in.locator("section").filter(has=signed_in.get_by_role("heading", name="Pinned"))
    expect(pinned).to_contain_text("Bows of rain")
    signed_in.goto("/chat")
    expect(pinned).to_contain_text("Bows of rain")

    rows = signed_in.locator("li.conversation > a")
    signed_in.get_by_label("Search conversations").fill("rainbows have")
    expect(rows).to_have_text(["Bows of rain"])
    signed_in.get_by_label("Search conversations").fill("")

    menu_of(signed_in, "Bows of rain").get_by_role("button", name="Archive").click()
    expect(rows.filter(has_text="Bows of rain")).to_have_count(0)
    signed_in.get_by_role("button", name="Archive", exact=True).click()
    expect(rows).to_have_text(["Bows of rain"])

    menu_of(signed_in, "Bows of rain").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)
    signed_in.get_by_role("button", name="Undo").click()
    expect(rows).to_have_text(["Bows of rain"])
    signed_in.reload()
    signed_in.get_by_role("button", name="Archive", exact=True).click()
    rows.click()
    expect(signed_in.locator("article.question")).to_contain_text("Why do rainbows")


def test_a_conversation_is_exported(signed_in: Page, stack: Stack) -> None:
    open_known(signed_in, stack, "To keep", "What shall I keep?", "All of it.")
    with signed_in.expect_download() as download:
        menu_of(signed_in, "To keep").get_by_role("link", name="Export as Markdown").click()
    assert "What shall I keep?" in download.value.path().read_text()


def test_a_question_without_a_connection_goes_out_when_it_is_back(
    signed_in: Page, context: BrowserContext
) -> None:
    expect(signed_in.locator(".examples button").first).to_be_enabled()
    context.set_offline(True)
    ask(signed_in, "Is anybody there?")
    expect(signed_in.locator("article.question")).to_contain_text("Is anybody there?")
    expect(answer_of(signed_in).get_by_role("alert")).to_contain_text("did not answer", timeout=20_000)
    context.set_offline(False)
    expect(signed_in).to_have_url(LASTING)
    assert stored(signed_in)["messages"][0]["content"] == "Is anybody there?"
