"""The voice studio in a real browser with the real eSpeak NG: heard while made, word by word, kept and deleted."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api")

import soundfile
from playwright.sync_api import Locator, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS
from tests.e2e.test_accessibility import faults
from tests.stack import Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]
# So long that it is still being made when the first sentences are heard.
LONG = " ".join(
    f"This is the sentence number {number} of a long and quiet story." for number in range(1, 700)
)


def say(page: Page, text: str) -> None:
    """Open the page and have the text spoken."""
    page.goto("/voice")
    page.get_by_label("Text to speak").fill(text)
    page.get_by_role("button", name=re.compile("^Speak")).click()


def say_to_the_end(page: Page, text: str) -> None:
    say(page, text)
    expect(speech(page)).to_contain_text(text)
    expect(page.get_by_role("link", name="Download WAV", exact=True)).to_be_visible(timeout=JOB_MS)


def speech(page: Page) -> Locator:
    """The speech that is shown."""
    return page.get_by_role("region", name="Speech", exact=True)


def slider(page: Page) -> Locator:
    return speech(page).get_by_role("slider", name="Position")


def seconds(page: Page, attribute: str = "aria-valuenow") -> int:
    """Where the player is; with `aria-valuemax`, how much has arrived."""
    return int(slider(page).get_attribute(attribute) or "-1")


def until(is_so: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def row(page: Page, text: str) -> Locator:
    """A speech in the list."""
    return page.locator("li.speech").filter(has_text=text)


def choose(page: Page, text: str, deed: str) -> None:
    """An entry of its menu."""
    row(page, text).first.get_by_role("button", name=f"More for: {text}").click()
    row(page, text).first.locator(".menu").get_by_text(deed, exact=True).click()


def test_a_speech_is_heard_while_it_is_made_and_can_be_moved_in_what_has_arrived(
    signed_in: Page, stack: Stack
) -> None:
    page = signed_in
    say(page, LONG)
    expect(speech(page)).to_be_visible()
    until(lambda: slider(page).count() > 0 and seconds(page, "aria-valuemax") >= 20)
    stack.pause("gpu")
    arrived = seconds(page, "aria-valuemax")
    place = speech(page).get_by_role("button", name="Pause").bounding_box()
    until(lambda: seconds(page) >= 1)
    expect(speech(page)).to_contain_text(re.compile(r"sentence \d+ of 699"))

    slider(page).press("End")
    expect(speech(page)).to_contain_text("waiting for the next sentence")
    slider(page).press("Home")
    until(lambda: seconds(page) <= 2)
    slider(page).press("ArrowRight")
    until(lambda: 5 <= seconds(page) <= 9)
    slider(page).press("Space")
    expect(speech(page).get_by_role("button", name="Play")).to_be_visible()
    slider(page).press("Space")

    stack.resume("gpu")
    until(lambda: seconds(page, "aria-valuemax") > arrived)
    assert speech(page).get_by_role("button", name="Pause").bounding_box() == place, "nothing has jumped"
    assert 5 <= seconds(page) <= 40, "it goes on where it was"
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(speech(page)).to_contain_text(
        re.compile(r"Stopped; the first \d+:\d\d is kept\.|done"), timeout=JOB_MS
    )


# Every word that the page marks, one after the other: from here some would be over before they are asked for.
NOTE_MARKED = """
window.marked = [];
new MutationObserver(() => {
  const word = document.querySelector('.now')?.textContent;
  if (word !== undefined && word !== window.marked.at(-1)) window.marked.push(word);
}).observe(document, {subtree: true, childList: true, characterData: true, attributeFilter: ['class']});
"""


def test_the_words_are_marked_as_they_are_heard(signed_in: Page) -> None:
    signed_in.add_init_script(NOTE_MARKED)
    say(signed_in, "The quick brown fox jumps over the lazy dog, and then it slowly walks home again.")
    marked = speech(signed_in).locator(".now")
    expect(marked).to_be_visible(timeout=JOB_MS)
    signed_in.wait_for_function("() => window.marked.at(-1) === 'again'")
    seen: list[str] = signed_in.evaluate("window.marked")
    text = "The quick brown fox jumps over the lazy dog and then it slowly walks home again"
    words = text.split()
    assert len(seen) >= len(words) / 2, seen
    rest = iter(words)
    assert all(word in rest for word in seen), f"{seen} are not in the order of the text"

    # The same words from the file alone, long after the sentences.
    signed_in.reload()
    row(signed_in, "The quick brown fox").get_by_title("Show above").click()
    slider(signed_in).press("ArrowRight")
    expect(marked).to_be_visible()
    assert marked.inner_text() in words


def test_a_click_on_a_word_goes_there(signed_in: Page) -> None:
    say_to_the_end(signed_in, "One two three. Four five six. Seven eight nine. Ten eleven twelve.")
    speech(signed_in).get_by_text("Ten eleven twelve.").click()
    expect(speech(signed_in).locator(".now")).to_have_text(re.compile("Ten|eleven|twelve"))


def test_a_language_is_found_by_its_chinese_and_its_english_name(signed_in: Page) -> None:
    signed_in.goto("/voice")
    field = signed_in.get_by_role("combobox", name="Language")
    expect(signed_in.get_by_text("languages; type to search")).to_have_text(
        re.compile(r"^1\d\d languages"), timeout=JOB_MS
    )
    for search in ("普通话", "Mandarin Chinese"):
        field.fill(search)
        found = signed_in.get_by_role("listbox", name="Language").get_by_role("option")
        expect(found).to_have_text(["Chinese (Mandarin)", "Chinese (Pinyin)"])
    field.press("Enter")
    expect(field).to_have_value("Chinese (Mandarin)")
    signed_in.get_by_role("combobox", name="Voice").fill("female3")
    signed_in.get_by_role("option", name="female3").click()
    signed_in.get_by_role("button", name="Cheerful").click()

    with signed_in.expect_request(
        lambda sent: sent.url.endswith("/api/v1/jobs") and sent.method == "POST"
    ) as sent:
        signed_in.get_by_label("Text to speak").fill("今天天气很好。")
        signed_in.get_by_role("button", name=re.compile("^Speak")).click()
    body = sent.value.post_data_json or {}
    assert body["input"] == {
        "text": "今天天气很好。",
        "language": "cmn",
        "voice": "f3",
        "speed": 1.1,
        "pitch": 1.2,
        "volume": 1.1,
        "format": "wav",
    }
    expect(speech(signed_in).get_by_role("link", name="Download WAV", exact=True)).to_be_visible(
        timeout=JOB_MS
    )


@pytest.mark.parametrize(("name", "signature"), [("WAV", b"RIFF"), ("MP3", b"\xff\xf3"), ("OGG", b"OggS")])
def test_one_speech_is_downloaded_in_every_format(signed_in: Page, name: str, signature: bytes) -> None:
    say_to_the_end(signed_in, "A speech to keep in three formats.")
    with signed_in.expect_download() as download:
        speech(signed_in).get_by_role("link", name=f"Download {name}").click()
    data = download.value.path().read_bytes()
    assert download.value.suggested_filename.endswith(f".{name.lower()}")
    assert data.startswith(signature)
    samples, rate = soundfile.read(io.BytesIO(data))
    assert 1.5 < len(samples) / rate < 5
    assert 0.03 < float((samples**2).mean() ** 0.5) < 0.4


def test_a_stretch_is_repeated_and_the_speed_of_playing_changed(signed_in: Page) -> None:
    say_to_the_end(signed_in, "One two three four five six seven eight nine ten eleven twelve.")
    slider(signed_in).press("Home")
    until(lambda: seconds(signed_in) == 2)
    speech(signed_in).get_by_role("button", name="To here").click()
    speech(signed_in).get_by_label("Speed of playing").select_option("2")
    expect(speech(signed_in).get_by_role("button", name="Repeat")).to_have_attribute("aria-pressed", "true")
    seen = set()
    for _ in range(40):
        seen.add(seconds(signed_in))
        time.sleep(0.05)
    assert seen <= {0, 1, 2, 3}
    assert {0, 1} <= seen, "it came back to the start"


def test_a_reload_in_mid_speech_goes_on(signed_in: Page, stack: Stack) -> None:
    say(signed_in, LONG)
    until(lambda: slider(signed_in).count() > 0 and seconds(signed_in, "aria-valuemax") >= 20)
    stack.pause("gpu")
    slider(signed_in).press("ArrowRight")
    slider(signed_in).press("ArrowRight")
    until(lambda: seconds(signed_in) >= 10)
    signed_in.reload()
    until(lambda: slider(signed_in).count() > 0 and seconds(signed_in, "aria-valuemax") >= 20)
    until(lambda: 9 <= seconds(signed_in) <= 30)
    arrived = seconds(signed_in, "aria-valuemax")
    stack.resume("gpu")
    until(lambda: seconds(signed_in, "aria-valuemax") > arrived)
    signed_in.get_by_role("button", name="Stop", exact=True).click()
    expect(speech(signed_in)).to_contain_text(re.compile(r"is kept\.|done"), timeout=JOB_MS)


def test_a_stopped_speech_says_so_at_once_and_keeps_what_was_spoken(signed_in: Page, stack: Stack) -> None:
    say(signed_in, LONG)
    until(lambda: slider(signed_in).count() > 0 and seconds(signed_in, "aria-valuemax") >= 10)
    stack.pause("gpu")
    signed_in.get_by_role("button", name="Stop", exact=True).click()
    expect(speech(signed_in).get_by_role("button", name="Stopping …")).to_be_visible(timeout=1000)
    stack.resume("gpu")
    expect(speech(signed_in)).to_contain_text(
        re.compile(r"Stopped; the first \d+:\d\d is kept\."), timeout=JOB_MS
    )
    kept = seconds(signed_in, "aria-valuemax")
    with signed_in.expect_download() as download:
        speech(signed_in).get_by_role("link", name="Download WAV", exact=True).click()
    assert soundfile.info(download.value.path()).duration == pytest.approx(kept, abs=1)


def test_a_speech_is_found_played_in_place_deleted_and_brought_back(signed_in: Page) -> None:
    say_to_the_end(signed_in, "The lighthouse keeper sleeps.")
    say_to_the_end(signed_in, "A herring swims by.")
    signed_in.goto("/voice")

    signed_in.get_by_label("Search speeches").fill("lighthouse")
    expect(signed_in.locator("li.speech")).to_have_count(1)
    row(signed_in, "lighthouse").get_by_role("button", name="Play: The lighthouse").click()
    expect(row(signed_in, "lighthouse").get_by_role("button", name="Pause: The lighthouse")).to_be_visible()
    signed_in.get_by_label("Search speeches").fill("")
    expect(row(signed_in, "herring")).to_have_count(1)

    before = signed_in.locator("li.speech .words > span").all_inner_texts()
    choose(signed_in, "The lighthouse keeper sleeps.", "Delete")
    expect(row(signed_in, "lighthouse")).to_have_count(0)
    signed_in.get_by_role("button", name="Undo").click()
    expect(row(signed_in, "lighthouse")).to_have_count(1)
    assert signed_in.locator("li.speech .words > span").all_inner_texts() == before, "it is back in its place"

    choose(signed_in, "The lighthouse keeper sleeps.", "Delete")
    expect(signed_in.get_by_text("Deleted: The lighthouse")).to_be_visible()
    signed_in.reload()
    expect(row(signed_in, "herring")).to_have_count(1)
    expect(row(signed_in, "lighthouse")).to_have_count(0)


def test_the_settings_of_an_earlier_speech_are_used_again(signed_in: Page) -> None:
    signed_in.goto("/voice")
    signed_in.get_by_role("button", name="Serious").click(timeout=JOB_MS)
    say_to_the_end(signed_in, "Remember how this was said.")
    signed_in.get_by_role("button", name="Neutral").click()
    signed_in.get_by_label("Text to speak").fill("Something else.")
    choose(signed_in, "Remember how this was said.", "Use this text and these settings")
    expect(signed_in.get_by_label("Text to speak")).to_have_value("Remember how this was said.")
    expect(signed_in.get_by_role("button", name="Serious")).to_have_attribute("aria-pressed", "true")


def test_ssml_is_checked_while_it_is_typed_and_then_spoken(signed_in: Page) -> None:
    signed_in.goto("/voice")
    expect(signed_in.get_by_role("combobox", name="Language")).to_be_visible(timeout=JOB_MS)
    signed_in.get_by_label("Text to speak").fill("Tom & Jerry")
    signed_in.get_by_role("button", name="SSML").click()
    field = signed_in.get_by_label("Text to speak")
    expect(field).to_have_value("<speak>Tom &amp; Jerry</speak>")
    field.fill('<speak>Tom <audio src="x"/></speak>')
    expect(signed_in.get_by_text("<audio> is not known here")).to_be_visible()
    expect(signed_in.get_by_role("button", name=re.compile("^Speak"))).to_be_disabled()
    field.fill('<speak>Tom<break time="300ms"/> <emphasis level="strong">and</emphasis> Jerry</speak>')
    signed_in.get_by_role("button", name=re.compile("^Speak")).click()
    expect(speech(signed_in)).to_contain_text("Tom and Jerry")
    expect(speech(signed_in).get_by_role("link", name="Download WAV", exact=True)).to_be_visible(
        timeout=JOB_MS
    )
    signed_in.get_by_role("button", name="SSML").click()
    expect(field).to_have_value("Tom and Jerry")


def test_a_subtitle_file_becomes_the_text(signed_in: Page) -> None:
    signed_in.goto("/voice")
    with signed_in.expect_file_chooser() as chooser:
        signed_in.get_by_role("button", name="File").click()
    written = "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n\n2\n00:00:03,000 --> 00:00:04,000\nGoodbye.\n"
    chooser.value.set_files({"name": "film.srt", "mimeType": "text/plain", "buffer": written.encode()})
    expect(signed_in.get_by_label("Text to speak")).to_have_value("Hello there.\nGoodbye.")
    with signed_in.expect_file_chooser() as chooser:
        signed_in.get_by_role("button", name="File").click()
    chooser.value.set_files({"name": "film.mp4", "mimeType": "video/mp4", "buffer": b"x"})
    expect(signed_in.get_by_role("alert")).to_contain_text("film.mp4 is no text file")
    expect(signed_in.get_by_label("Text to speak")).to_have_value("Hello there.\nGoodbye.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_of_the_page_has_a_serious_fault(signed_in: Page, scheme: str) -> None:
    signed_in.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    say_to_the_end(signed_in, "A speech that is looked at from every side.")
    slider(signed_in).press("ArrowRight")
    found = faults(signed_in)
    signed_in.get_by_role("combobox", name="Language").click()
    expect(signed_in.get_by_role("option", name="German", exact=True)).to_be_visible()
    found += faults(signed_in)
    signed_in.get_by_role("button", name="SSML").click()
    signed_in.get_by_label("Text to speak").fill("<speak><p>")
    expect(signed_in.get_by_text("is not closed: write")).to_be_visible()
    choose(signed_in, "A speech that is looked at", "Delete")
    expect(signed_in.get_by_role("button", name="Undo")).to_be_visible()
    assert found + faults(signed_in) == []
