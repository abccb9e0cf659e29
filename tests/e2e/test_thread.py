"""The thread in a real browser: maths, a thousand messages, finding, settings, files, and what answers become."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, Route, expect

from tests.e2e.pages import CHROMIUM, JOB_MS, ask, stored
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]
MANY = 1000
# Long enough that its end cannot be in view from its beginning.
SHORT_ANSWER = {"max_tokens": 60}
LEFT_BELOW = "view => view.scrollHeight - view.scrollTop - view.clientHeight"
CURRENT_HIT = """() => {
  const [range] = CSS.highlights.get('found-current') ?? [];
  if (range === undefined) return null;
  const [place, view] = [range.getBoundingClientRect(), document.querySelector('.scroller').getBoundingClientRect()];
  const seen = place.top >= view.top && place.bottom <= view.bottom;
  const row = range.startContainer.parentElement.closest('.turn');
  return `${range.toString()} in ${row.id}, ${seen ? 'seen' : 'unseen'}`;
}"""
RICH = r"""A formula $a^2 + \vec{b}$, and money: from $5 to $10.

$$
\int_0^1 x\,dx = \frac{1}{2}
$$

\[ \sqrt{2} \]

```python
def half(x):
    return x / 2  # exactly
```

| Name | Value |
|------|------:|
| one  |     1 |

- nested:
  ```js
  let nested = true;
  ```
"""


def import_messages(page: Page, stack: Stack, *texts: str, **more: Any) -> str:
    """A conversation that was had elsewhere: questions and answers in turn. Its id."""
    roles = ("user", "assistant")
    messages = [
        {
            "id": str(at),
            "parent": str(at - 1) if at else None,
            "role": roles[at % 2],
            "content": text,
        }
        for at, text in enumerate(texts)
    ]
    file = {"title": "Had elsewhere", "params": SHORT_ANSWER, "messages": messages, **more}
    made = page.request.post(
        "/api/v1/conversations/import", data=file, headers={"Authorization": f"Bearer {stack.keys['ada']}"}
    )
    assert made.ok, made.text()
    conversation_id: str = made.json()["id"]
    return conversation_id


def open_messages(page: Page, stack: Stack, *texts: str) -> str:
    """The same, opened."""
    conversation_id = import_messages(page, stack, *texts)
    page.goto(f"/chat/{conversation_id}")
    expect(page.locator("article.answer .markdown").last).to_be_visible()
    return conversation_id


def open_many(page: Page, stack: Stack) -> None:
    """A thousand messages of different heights, with code and maths between them."""
    texts = []
    for at in range(MANY):
        text = f"This is number {at}. " + "Words for a line or two. " * (1 + at % 23)
        texts.append(
            text + (f"\n\n```python\nnumber = {at}\n```\n\nand $x_{{{at}}}$" if at % 10 == 1 else "")
        )
    open_messages(page, stack, *texts)


def scroller(page: Page) -> Locator:
    return page.get_by_role("region", name="Conversation")


def wait_for_end(page: Page) -> None:
    """Until the view is at the end of the thread."""
    page.wait_for_function(f"() => ({LEFT_BELOW})(document.querySelector('.scroller')) < 2")


def wait_for_answers(page: Page, count: int) -> None:
    expect(page.locator("article.answer")).to_have_count(count)
    expect(page.locator("article.answer").last).to_have_attribute("aria-busy", "false", timeout=JOB_MS)


def open_settings(page: Page) -> None:
    page.get_by_role("button", name="Show the settings").click()


# --- what answers look like (the page fixture fails on any breach of the content security policy)


def test_maths_is_drawn_with_our_own_fonts_under_the_strict_policy(signed_in: Page, stack: Stack) -> None:
    elsewhere: list[str] = []
    base = urlsplit(stack.url()).netloc
    signed_in.on(
        "request", lambda sent: elsewhere.append(sent.url) if urlsplit(sent.url).netloc != base else None
    )
    open_messages(signed_in, stack, "Show me.", RICH)
    formulas = signed_in.locator(".math.drawn")
    expect(formulas).to_have_count(3)
    expect(signed_in.locator(".katex-display")).to_have_count(2)
    expect(signed_in.locator(".markdown")).to_contain_text("from $5 to $10")
    # Signs stand above and below the line: the styles that KaTeX asks for were taken.
    heights = (
        formulas.nth(1)
        .locator(".vlist > span")
        .evaluate_all("parts => new Set(parts.map(part => part.style.top)).size")
    )
    assert heights > 1
    signed_in.wait_for_function(
        "() => [...document.fonts].some(f => f.family === 'KaTeX_Math' && f.status === 'loaded')"
    )
    # Screen readers get MathML.
    expect(formulas.first.locator("math")).to_have_count(1)
    assert elsewhere == []


def test_code_is_coloured_also_where_it_is_nested_and_wide_tables_scroll(
    signed_in: Page, stack: Stack
) -> None:
    wide = "| " + " | ".join(f"a-column-that-is-wide-{n}" for n in range(12)) + " |\n" + "|---" * 12 + "|\n"
    open_messages(signed_in, stack, "Show me.", f"{RICH}\n{wide}")
    expect(signed_in.locator("figure.code .hljs-keyword").first).to_have_text("def")
    expect(signed_in.locator("li .hljs-keyword").first).to_have_text("let")
    table = signed_in.get_by_role("group", name="Table").last
    assert table.evaluate("each => each.scrollWidth > each.clientWidth")
    assert signed_in.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_answers_that_are_done_are_not_painted_again_while_another_grows(
    signed_in: Page, stack: Stack
) -> None:
    open_messages(signed_in, stack, "Say a lot.", RICH)
    expect(signed_in.locator(".math.drawn")).to_have_count(3)
    expect(signed_in.locator("figure.code .hljs-keyword, li .hljs-keyword")).to_have_count(3)
    signed_in.locator(".markdown").evaluate(
        "view => { for (const each of view.querySelectorAll('*')) each.seen = true; }"
    )
    ask(signed_in, "And more?")
    wait_for_answers(signed_in, 2)
    unseen = signed_in.locator("article.answer .markdown").first.evaluate(
        "view => [...view.querySelectorAll('*')].filter(each => each.seen !== true).length"
    )
    assert unseen == 0


# --- a thousand messages


def test_a_thousand_messages_open_at_the_end_and_only_those_in_view_are_there(
    signed_in: Page, stack: Stack
) -> None:
    open_many(signed_in, stack)
    expect(signed_in.locator("article").last).to_contain_text(f"number {MANY - 1}.")
    wait_for_end(signed_in)
    assert signed_in.locator(".turn").count() < 30
    expect(signed_in.get_by_role("button", name="To the end")).to_be_hidden()


def test_the_view_stays_where_the_reader_scrolls_and_comes_back_to_the_end(
    signed_in: Page, stack: Stack
) -> None:
    open_many(signed_in, stack)
    wait_for_end(signed_in)
    scroller(signed_in).hover()
    for _ in range(12):
        signed_in.mouse.wheel(0, -700)
        signed_in.wait_for_timeout(60)
    # Rows that are measured above the view must not move what is read.
    row = signed_in.evaluate_handle(
        "() => [...document.querySelectorAll('.turn')].find(each => each.getBoundingClientRect().top > 100)"
    )
    before = row.evaluate("each => each.getBoundingClientRect().top")
    signed_in.wait_for_timeout(600)
    assert abs(row.evaluate("each => each.getBoundingClientRect().top") - before) < 2
    signed_in.get_by_role("button", name="To the end").click()
    wait_for_end(signed_in)
    expect(signed_in.locator("article").last).to_contain_text(f"number {MANY - 1}.")


def test_words_are_found_marked_and_gone_through_in_a_thousand_messages(
    signed_in: Page, stack: Stack
) -> None:
    open_many(signed_in, stack)
    wait_for_end(signed_in)
    scroller(signed_in).focus()
    signed_in.keyboard.press("Control+f")
    field = signed_in.get_by_label("Find in this conversation", exact=True)
    expect(field).to_be_focused()
    field.fill("NUMBER = 5")
    found = signed_in.get_by_role("search").get_by_role("status")
    # Code of the messages 51, 501, 511 … 591; the last one is nearest, but the search goes round.
    expect(found).to_have_text("1 of 11")
    signed_in.wait_for_function(f"() => ({CURRENT_HIT})() === 'number = 5 in turn-51, seen'")
    field.press("Enter")
    expect(found).to_have_text("2 of 11")
    signed_in.wait_for_function(f"() => ({CURRENT_HIT})() === 'number = 5 in turn-501, seen'")
    field.press("Shift+Enter")
    field.press("Shift+Enter")
    expect(found).to_have_text("11 of 11")
    signed_in.wait_for_function(f"() => ({CURRENT_HIT})() === 'number = 5 in turn-591, seen'")
    field.fill("no such words")
    expect(found).to_have_text("not found")
    field.press("Escape")
    expect(field).to_be_hidden()
    assert signed_in.evaluate("() => CSS.highlights.size") == 0
    expect(scroller(signed_in)).to_be_focused()


# --- how it answers


def test_a_question_that_is_faster_than_its_conversation_waits_for_it(signed_in: Page, stack: Stack) -> None:
    conversation = import_messages(signed_in, stack, "Which harbours are there?", "Three.")
    held: list[Route] = []
    # Playwright marks its handlers, which a method of a list does not allow.
    signed_in.route(f"**/api/v1/conversations/{conversation}", lambda route: held.append(route))  # noqa: PLW0108
    signed_in.goto(f"/chat/{conversation}")
    ask(signed_in, "And the largest?")
    expect(signed_in.get_by_label("Your message")).to_have_value("And the largest?")
    for route in held:
        route.continue_()
    signed_in.unroute(f"**/api/v1/conversations/{conversation}")
    expect(signed_in.locator("article.answer")).to_have_count(2)
    expect(signed_in.get_by_label("Your message")).to_have_value("")
    messages = {message["content"]: message for message in stored(signed_in)["messages"]}
    assert messages["And the largest?"]["parent"] == messages["Three."]["id"]


def test_settings_of_a_new_conversation_survive_a_reload_and_go_with_its_first_question(
    signed_in: Page,
) -> None:
    open_settings(signed_in)
    signed_in.get_by_label("System prompt").fill("Be brief.")
    signed_in.get_by_label("Temperature").fill("0.3")
    signed_in.get_by_label("Longest answer").fill("30")
    signed_in.get_by_label("Longest answer").press("Tab")
    signed_in.reload()
    expect(signed_in.get_by_label("Temperature")).to_have_value("0.3")
    ask(signed_in, "Hello?")
    wait_for_answers(signed_in, 1)
    kept = stored(signed_in)
    assert (kept["system"], kept["params"]) == ("Be brief.", {"temperature": 0.3, "max_tokens": 30})
    signed_in.goto("/chat")
    expect(signed_in.get_by_label("Temperature")).to_have_value("")


def test_settings_are_kept_with_the_conversation_and_can_be_reset(signed_in: Page, stack: Stack) -> None:
    open_messages(signed_in, stack, "Hello?", "Hello.")
    open_settings(signed_in)
    signed_in.get_by_label("Seed").fill("7")
    with signed_in.expect_response(lambda reply: reply.request.method == "PATCH" and reply.ok):
        signed_in.get_by_label("Seed").press("Enter")
    signed_in.reload()
    expect(signed_in.get_by_label("Seed")).to_have_value("7")
    assert stored(signed_in)["params"] == {**SHORT_ANSWER, "seed": 7}
    with signed_in.expect_response(lambda reply: reply.request.method == "PATCH" and reply.ok):
        signed_in.get_by_role("button", name="Reset").click()
    assert stored(signed_in)["params"] == {}


def test_a_setting_beyond_its_limits_is_named_and_not_sent(signed_in: Page, stack: Stack) -> None:
    open_messages(signed_in, stack, "Hello?", "Hello.")
    open_settings(signed_in)
    field = signed_in.get_by_label("Temperature")
    field.fill("3")
    field.press("Tab")
    expect(signed_in.get_by_role("alert")).to_have_text("Temperature: it goes from 0 to 2.")
    expect(field).to_have_value("3")
    assert stored(signed_in)["params"] == SHORT_ANSWER


# --- files


def test_attached_files_survive_a_reload_reach_the_question_and_are_shown_folded(
    signed_in: Page, stack: Stack
) -> None:
    open_messages(signed_in, stack, "Hello?", "Hello.")
    with signed_in.expect_file_chooser() as chooser:
        signed_in.get_by_role("button", name="Attach text files").click()
    chosen: list[FilePayload] = [
        {"name": "notes.md", "mimeType": "text/markdown", "buffer": "Das Wort heißt ```Pflaume```.".encode()},
        {"name": "spare.csv", "mimeType": "text/csv", "buffer": b"a,b"},
        {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n\0"},
        {"name": "long.txt", "mimeType": "text/plain", "buffer": b"x" * 200_001},
    ]
    chooser.value.set_files(chosen)
    said = signed_in.locator("form.box").get_by_role("alert")
    expect(said).to_contain_text("photo.png was not attached: ")
    expect(said).to_contain_text("reads no pictures, and no enabled model does.")
    expect(said).to_contain_text("long.txt is too long (200,001)")
    signed_in.get_by_label("Your message").fill("What is the word?")
    signed_in.reload()
    chips = signed_in.get_by_role("list", name="Attached files").get_by_role("listitem")
    expect(chips).to_have_count(2)
    expect(signed_in.locator("article.answer")).to_be_visible()
    signed_in.get_by_role("button", name="Remove spare.csv").click()
    signed_in.get_by_label("Your message").press("Enter")
    question = signed_in.locator("article.question").last
    expect(question.locator(".said")).to_have_text("What is the word?")
    expect(question.locator("pre")).to_be_hidden()
    question.locator("summary").click()
    expect(question.locator("pre")).to_have_text("Das Wort heißt ```Pflaume```.")
    wait_for_answers(signed_in, 2)
    assert stored(signed_in)["messages"][2]["content"] == (
        "What is the word?\n\nAttached file: notes.md\n````md\nDas Wort heißt ```Pflaume```.\n````"
    )
    expect(chips).to_have_count(0)


def test_a_file_can_be_dropped_and_pasted_and_goes_with_a_question_of_no_words(
    signed_in: Page, stack: Stack
) -> None:
    open_messages(signed_in, stack, "Hello?", "Hello.")
    for event, target in (("drop", ".scroller"), ("paste", "#composer")):
        signed_in.locator(target).evaluate(
            """(element, type) => {
              const files = new DataTransfer();
              files.items.add(new File([`from ${type}`], `${type}.txt`, { type: 'text/plain' }));
              const about = { bubbles: true, cancelable: true };
              element.dispatchEvent(
                type === 'drop' ? new DragEvent(type, { ...about, dataTransfer: files })
                                : new ClipboardEvent(type, { ...about, clipboardData: files }));
            }""",
            event,
        )
    expect(signed_in.get_by_role("list", name="Attached files")).to_contain_text("drop.txt")
    expect(signed_in.get_by_role("list", name="Attached files")).to_contain_text("paste.txt")
    signed_in.get_by_label("Your message").press("Enter")
    expect(signed_in.locator("article.question").last.locator("summary")).to_have_count(2)
    wait_for_answers(signed_in, 2)
    assert "from drop" in stored(signed_in)["messages"][2]["content"]


# --- what an answer becomes


def test_an_answer_is_read_aloud_while_it_is_spoken_and_stops(signed_in: Page, stack: Stack) -> None:
    open_messages(
        signed_in,
        stack,
        "Tell me.",
        "The **first** sentence is here.\n\n```js\ncode\n```\n\nThe second one ends it.",
    )
    signed_in.evaluate(
        "() => { window.played = []; const play = HTMLAudioElement.prototype.play;"
        " HTMLAudioElement.prototype.play = function () { window.played.push(this.src); return play.call(this); }; }"
    )
    signed_in.get_by_role("button", name="Read aloud").click()
    signed_in.wait_for_function("() => window.played.length > 0", timeout=JOB_MS)
    expect(signed_in.get_by_role("slider", name="Position")).to_be_visible()
    signed_in.wait_for_function("() => window.played.length > 1", timeout=JOB_MS)
    spoken = signed_in.request.get("/api/v1/jobs?kind=voice").json()["results"][0]["input"]["text"]
    assert spoken == "The first sentence is here.\nThe second one ends it."
    signed_in.get_by_role("button", name="Stop reading").click()
    expect(signed_in.get_by_role("slider", name="Position")).to_be_hidden()


def test_an_answer_becomes_the_prompt_of_an_image(signed_in: Page, stack: Stack) -> None:
    open_messages(signed_in, stack, "Tell me.", "A **red** house\nby the $sea$.")
    signed_in.get_by_role("button", name="Make an image from this").click()
    signed_in.wait_for_url(re.compile("/image"))
    assert parse_qs(urlsplit(signed_in.url).query)["prompt"] == ["A red house by the sea."]


def test_an_answer_is_copied_as_markdown(signed_in: Page, context: BrowserContext, stack: Stack) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_messages(signed_in, stack, "Tell me.", "A **red** house.")
    signed_in.get_by_role("button", name="Copy as Markdown").click()
    expect(signed_in.get_by_role("button", name="Copied")).to_be_visible()
    assert signed_in.evaluate("() => navigator.clipboard.readText()") == "A **red** house."
