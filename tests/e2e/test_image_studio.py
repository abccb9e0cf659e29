"""The image studio in a real browser against the running product: masks, recalled parameters, variations, queueing."""

from __future__ import annotations

import base64
import io
import re
import time
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image, ImageChops, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.pages import CHROMIUM, JOB_MS
from tests.e2e.test_accessibility import faults

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]

# The demo model's own size: what is not painted anew comes back pixel by pixel.
SIDE = 128
GENERATE = re.compile("^Generate")
SEND = """([type, name, data, mediaType]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], name, {type: mediaType}));
    const about = type === "paste" ? {clipboardData: files} : {dataTransfer: files};
    const event = type === "paste" ? new ClipboardEvent(type, {...about, bubbles: true, cancelable: true})
        : new DragEvent(type, {...about, bubbles: true, cancelable: true});
    document.querySelector("main").dispatchEvent(event);
}"""


def drawing() -> Image.Image:
    """Something whose every part differs."""
    picture = Image.new("RGB", (SIDE, SIDE), "navy")
    pen = ImageDraw.Draw(picture)
    for n in range(0, SIDE, 16):
        pen.ellipse((n, n, n + 40, n + 24), fill=(2 * n % 256, 255 - n, n))
    return picture


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def send(page: Page, how: str, name: str, data: bytes, media_type: str = "image/png") -> None:
    """Drop or paste a file on the page."""
    page.evaluate(SEND, [how, name, base64.b64encode(data).decode(), media_type])


def opened_studio(page: Page) -> Page:
    page.goto("/image")
    expect(page.get_by_role("button", name=GENERATE)).to_be_enabled()
    return page


def choose_start(page: Page, mode: str) -> None:
    page.get_by_role("button", name=mode, exact=True).click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": png(drawing())}
    )
    expect(page.get_by_alt_text("Start image: mine.png")).to_be_visible()


def prompt(page: Page) -> Locator:
    """The form's field; the one for phones is hidden here."""
    return page.get_by_role("textbox", name=re.compile("^Prompt"))


def canvas(page: Page) -> Locator:
    return page.get_by_role("application")


def brush(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the picture; places are shares of its width and height."""
    box = canvas(page).bounding_box()
    assert box is not None
    (x, y), (to_x, to_y) = (
        (box["x"] + box["width"] * a, box["y"] + box["height"] * b) for a, b in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=12)
    page.mouse.up()


def slide(page: Page, label: str, value: int) -> None:
    page.get_by_label(label).fill(str(value))


def newest(page: Page) -> dict[str, Any]:
    job: dict[str, Any] = page.request.get("/api/v1/jobs?kind=image").json()["results"][0]
    return job


def ended(page: Page, job_id: str) -> dict[str, Any]:
    """The job once its end is stored."""
    deadline = time.monotonic() + JOB_MS / 1000
    while True:
        job: dict[str, Any] = page.request.get(f"/api/v1/jobs/{job_id}").json()
        if job["finished_at"] is not None:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.2)


def submit(page: Page, button: Locator) -> dict[str, Any]:
    """Press a button that makes a picture; the job as the server took it."""
    with page.expect_response(
        lambda answer: answer.url.endswith("/api/v1/jobs") and answer.status == 202
    ) as answer:
        button.click()
    job: dict[str, Any] = answer.value.json()
    return job


def generate(page: Page) -> dict[str, Any]:
    """Press Generate; the job at its end."""
    job = ended(page, submit(page, page.get_by_role("button", name=GENERATE))["id"])
    assert job["status"] == "succeeded", job
    return job


def overflow(page: Page) -> tuple[int, int]:
    """By how many pixels the page could be scrolled, across and down."""
    across, down = page.evaluate(
        "[document.scrollingElement.scrollWidth - innerWidth, document.scrollingElement.scrollHeight - innerHeight]"
    )
    return across, down


def picture_of(page: Page, job: dict[str, Any], number: int = 0) -> bytes:
    return page.request.get(job["result"]["artifacts"][number]["url"]).body()


def upload_of(page: Page, upload_id: str) -> Image.Image:
    return opened(page.request.get(f"/api/v1/uploads/{upload_id}/file").body())


def white_share(mask: Image.Image) -> float:
    return mask.convert("L").histogram()[255] / (mask.width * mask.height)


def test_only_what_was_brushed_is_painted_anew(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    choose_start(page, "Inpaint")
    expect(page.get_by_role("button", name=GENERATE)).to_be_disabled()
    expect(page.get_by_text("Paint over what should change").last).to_be_visible()
    brush(page, (0.3, 0.5), (0.7, 0.5))
    assert faults(page) == []
    assert overflow(page) == (0, 0)
    job = generate(page)
    assert {"image", "mask"} <= job["input"].keys()
    mask = upload_of(page, job["input"]["mask"]).convert("L")
    at = {place: mask.getpixel((int(mask.width * place[0]), int(mask.height * place[1]))) for place in
          ((0.3, 0.5), (0.5, 0.5), (0.7, 0.5), (0.5, 0.1), (0.1, 0.5), (0.9, 0.9))}  # fmt: skip
    assert list(at.values()) == [255, 255, 255, 0, 0, 0]
    made = opened(picture_of(page, job)).convert("RGB")
    untouched = mask.resize(made.size, Image.Resampling.BILINEAR).point(lambda grey: 255 if grey == 0 else 0)
    changed = ImageChops.difference(made, drawing())
    assert ImageChops.composite(changed, Image.new("RGB", made.size), untouched).getbbox() is None
    assert changed.getbbox() is not None
    expect(page.locator("figure .picture img:not(.preview)")).to_be_visible()


def test_a_mask_is_made_without_drawing(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    choose_start(page, "Inpaint")
    button = page.get_by_role("button", name=GENERATE)
    page.get_by_role("button", name="Choose the whole picture").press("Enter")
    expect(button).to_be_enabled()
    page.keyboard.press("i")
    expect(button).to_be_disabled()
    page.keyboard.press("Control+z")
    expect(button).to_be_enabled()
    page.keyboard.press("Control+Shift+z")
    expect(button).to_be_disabled()
    page.get_by_role("button", name="Choose the whole picture").focus()
    page.keyboard.press("r")
    box = page.get_by_role("form", name="Rectangle")
    for name, percent in (("Left", 50), ("Top", 0), ("Width", 50), ("Height", 100)):
        box.get_by_label(name).fill(str(percent))
    box.get_by_role("button", name="Add").press("Enter")
    canvas(page).focus()
    page.keyboard.press("e")
    for key in (*["ArrowRight"] * 5, "Space"):
        page.keyboard.press(key)
    mask = upload_of(page, generate(page)["input"]["mask"]).convert("L")
    # The right half, without the dot that the eraser left in it.
    assert mask.getpixel((mask.width // 4, mask.height // 2)) == 0
    assert mask.getpixel((mask.width * 7 // 8, mask.height // 8)) == 255
    assert 0.4 < white_share(mask) < 0.495


def test_on_a_phone_a_finger_paints(browser: Browser, studio: str, studio_admin: tuple[str, str]) -> None:
    context = browser.new_context(
        base_url=studio,
        locale="zh-CN",
        color_scheme="dark",
        has_touch=True,
        viewport={"width": 390, "height": 844},
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/sign-in?next=/image")
    for place, text in enumerate(studio_admin):
        page.locator("form input").nth(place).fill(text)
    page.locator("form button[type=submit]").click()
    page.wait_for_url("**/image")
    page.get_by_role("button", name="设置", exact=True).click()
    page.get_by_role("button", name="局部重绘").click()
    page.get_by_role("dialog").locator("input[type=file]").first.set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": png(drawing())}
    )
    expect(canvas(page)).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="生成")).to_be_disabled()
    box = canvas(page).bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    assert faults(page) == []
    job = ended(page, submit(page, page.get_by_role("button", name="生成"))["id"])
    mask = upload_of(page, job["input"]["mask"]).convert("L")
    places = [mask.getpixel((mask.width * x // 4, mask.height * y // 4)) for x, y in ((1, 1), (3, 1), (1, 3))]
    assert places == [255, 0, 0]
    assert overflow(page) == (0, 0)
    expect(page.locator("figure .picture img:not(.preview)")).to_be_visible()
    assert faults(page) == []
    context.close()


def test_a_file_that_is_no_picture_is_refused_in_words(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    send(page, "drop", "notes.txt", b"words", "text/plain")
    expect(page.get_by_role("status").filter(has_text="notes.txt is no picture")).to_be_visible()


def test_an_erased_mask_is_told_before_it_is_sent(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    choose_start(page, "Inpaint")
    brush(page, (0.5, 0.5), (0.52, 0.5))
    page.keyboard.press("e")
    for _ in range(12):
        page.keyboard.press("]")
    brush(page, (0.4, 0.5), (0.6, 0.5))
    page.get_by_role("button", name=GENERATE).click()
    expect(page.get_by_role("status").filter(has_text="The mask is empty")).to_be_visible()
    expect(canvas(page)).to_be_visible()


def test_start_image_and_mask_survive_every_other_change_and_a_reload(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    choose_start(page, "Inpaint")
    brush(page, (0.2, 0.2), (0.8, 0.8))
    page.get_by_label("Prompt for the painted part").fill("a yellow circle")
    slide(page, "Steps", 7)
    slide(page, "Change", 1)
    first = generate(page)["input"]
    page.get_by_role("button", name="Text", exact=True).click()
    page.get_by_role("button", name="3:2").click()
    page.get_by_role("button", name="Inpaint", exact=True).click()
    slide(page, "Steps", 8)
    page.get_by_role("link", name="Chat").first.click()
    page.get_by_role("link", name="Image").first.click()
    expect(page.get_by_alt_text("Start image: mine.png")).to_be_visible()
    page.reload()
    expect(page.get_by_alt_text("Start image: mine.png")).to_be_visible()
    expect(page.get_by_label("Prompt for the painted part")).to_have_value("a yellow circle")
    second = generate(page)["input"]
    assert (second["image"], second["steps"]) == (first["image"], 8)
    masks = [upload_of(page, each["mask"]).convert("L") for each in (first, second)]
    assert ImageChops.difference(*masks).getbbox() is None
    assert 0.05 < white_share(masks[0]) < 0.5


def test_use_these_brings_image_and_mask_back(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    choose_start(page, "Inpaint")
    brush(page, (0.3, 0.3), (0.3, 0.7))
    first = generate(page)["input"]
    page.get_by_role("button", name="Remove the start image").click()
    page.get_by_role("button", name="Text", exact=True).click()
    page.get_by_role("button", name="Use these").click()
    expect(page.get_by_role("button", name="Inpaint", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(canvas(page)).to_be_visible()
    second = generate(page)["input"]
    assert (second["image"], second["mask"], second["seed"]) == (first["image"], first["mask"], first["seed"])
    page.get_by_role("button", name="Edit the mask").click()
    brush(page, (0.7, 0.3), (0.7, 0.7))
    third = generate(page)["input"]
    before, after = (white_share(upload_of(page, each["mask"])) for each in (second, third))
    assert after == pytest.approx(2 * before, rel=0.1)


def test_a_dropped_picture_of_ours_gives_all_its_parameters_back(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    prompt(page).fill("三个红色的圆, on blue")
    page.get_by_label("Avoid").fill("text, watermark")
    page.get_by_role("button", name="3:2").click()
    slide(page, "Steps", 9)
    page.get_by_label("Guidance").fill("3.5")
    page.get_by_label("Scheduler").select_option("euler_a")
    first = generate(page)
    data = picture_of(page, first)

    prompt(page).fill("something else")
    page.get_by_label("Avoid").fill("")
    page.get_by_role("button", name="auto").click()
    slide(page, "Steps", 30)
    page.get_by_label("Guidance").fill("8")
    page.get_by_label("Scheduler").select_option("")
    send(page, "drop", "ours.png", data)
    question = page.get_by_role("dialog", name="This picture says how it was made")
    expect(question).to_contain_text("三个红色的圆")
    assert faults(page) == []
    question.get_by_role("button", name="Use its parameters").click()
    expect(question).to_be_hidden()
    expect(prompt(page)).to_have_value("三个红色的圆, on blue")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(first["input"]["seed"]))
    again = generate(page)
    assert again["input"] == first["input"]
    assert ImageChops.difference(opened(picture_of(page, again)), opened(data)).getbbox() is None


def test_a_picture_without_parameters_is_the_start_image_at_once(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    send(page, "paste", "holiday.png", png(drawing()))
    expect(page.get_by_alt_text("Start image: holiday.png")).to_be_visible()
    expect(page.get_by_role("button", name="Image", exact=True)).to_have_attribute("aria-pressed", "true")
    job = generate(page)
    assert "image" in job["input"]
    assert "mask" not in job["input"]
    page.get_by_role("button", name="Compare with the start image").click()
    slider = page.get_by_label("How much of the start image is shown")
    slider.press("ArrowRight")
    expect(slider).to_have_value("51")
    assert faults(page) == []
    page.locator("input[type=file]").last.set_input_files(
        {"name": "holiday.png", "mimeType": "image/png", "buffer": png(drawing())}
    )
    expect(page.get_by_role("status").filter(has_text="does not say how it was made")).to_be_visible()


def test_variations_have_new_seeds_or_begin_from_the_picture(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    first = generate(page)["input"]
    asked = []
    for choice in ("2 with new seeds", "1 similar to this one"):
        expect(page.locator("figure .picture img:not(.preview)")).to_be_visible(timeout=JOB_MS)
        page.get_by_role("button", name="Variations").click()
        asked.append(ended(page, submit(page, page.get_by_role("button", name=choice))["id"]))
        expect(page.get_by_role("figure").get_by_role("progressbar")).to_have_count(0)
    seeds, similar = asked
    assert {**seeds["input"], "seed": 0, "count": 1} == {**first, "seed": 0, "count": 1}
    made = [each["seed"] for each in seeds["result"]["artifacts"]]
    assert len({*made, first["seed"]}) == 3
    assert (similar["status"], similar["input"]["strength"]) == ("succeeded", 0.35)
    # What was shown when it was asked for: the first picture of the variations before.
    assert upload_of(page, similar["input"]["image"]).size == (SIDE, SIDE)


def test_a_result_becomes_the_start_image(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    first = generate(page)
    page.get_by_role("button", name="Use as start").click()
    expect(page.get_by_role("button", name="Remove the start image")).to_be_visible()
    second = generate(page)
    begun = upload_of(page, second["input"]["image"])
    assert ImageChops.difference(begun, opened(picture_of(page, first))).getbbox() is None


def test_a_style_adds_its_words_and_shows_them(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    prompt(page).fill("a house.")
    page.get_by_role("button", name="Ink", exact=True).click()
    expect(page.get_by_text("Adds to the prompt: Chinese ink wash painting")).to_be_visible()
    asked = generate(page)["input"]
    assert asked["prompt"] == "a house, Chinese ink wash painting, rice paper, empty space"
    assert asked["negative_prompt"] == "photograph, bright colours"


def test_of_two_jobs_at_once_one_is_stopped_and_the_other_ends(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    slide(page, "Steps", 100)
    page.get_by_role("button", name="8", exact=True).click()
    jobs = []
    for words in ("the first of two", "the second of two"):
        prompt(page).fill(words)
        jobs.append(submit(page, page.get_by_role("button", name=GENERATE)))
        # Changing the form does nothing to what is under way.
        page.get_by_role("button", name="1", exact=True).click()
    expect(page.get_by_text(re.compile("2 under way"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^(waiting|running): the first of two")).click()
    page.get_by_role("figure").get_by_role("button", name="Stop").click()
    assert ended(page, jobs[0]["id"])["status"] == "cancelled"
    other = ended(page, jobs[1]["id"])
    assert (other["status"], other["input"]["prompt"]) == ("succeeded", "the second of two")
    assert [job["input"]["count"] for job in jobs] == [8, 1]
    expect(page.get_by_role("figure").get_by_text("Stopped; finished images are kept.")).to_be_visible()


def test_what_is_looked_at_stays_when_something_newer_is_finished(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    generate(page)
    shown = page.locator("figure .picture img:not(.preview)")
    expect(shown).to_be_visible()
    address = shown.get_attribute("src")
    slide(page, "Steps", 60)
    newer = submit(page, page.get_by_role("button", name=GENERATE))
    expect(shown).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Show image 2: ")).click()
    expect(shown).to_have_attribute("src", str(address))
    made = ended(page, newer["id"])["result"]["artifacts"][0]["url"]
    expect(page.get_by_role("group", name="Images").locator("img").first).to_have_attribute("src", made)
    expect(shown).to_have_attribute("src", str(address))
    chosen = page.get_by_role("group", name="Images").locator("[aria-pressed=true] img")
    expect(chosen).to_have_attribute("src", str(address))


def test_the_viewer_is_driven_by_keys(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    page.get_by_role("button", name="2", exact=True).click()
    made = generate(page)["result"]["artifacts"]
    page.get_by_role("button", name=re.compile("^Show image 1: ")).click()
    page.get_by_role("button", name="Full screen").last.press("Enter")
    viewer = page.get_by_role("dialog", name="Full screen")
    picture = viewer.get_by_role("img")
    expect(picture).to_have_attribute("src", made[0]["url"])
    assert faults(page) == []
    page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("src", made[1]["url"])
    page.keyboard.press("+")
    expect(picture).to_have_css("transform", re.compile(r"^matrix\(1\.4, "))
    page.keyboard.press("ArrowLeft")
    expect(picture).to_have_css("transform", re.compile(r"^matrix\(1, "))
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.locator("figure .picture img")).to_have_attribute("src", made[0]["url"])


def test_the_address_fills_the_form_and_is_tidied(signed_in: Page) -> None:
    page = signed_in
    page.goto("/image?prompt=a+red+kite&job=kept")
    expect(prompt(page)).to_have_value("a red kite")
    expect(page).to_have_url(re.compile(r"/image\?job=kept$"))
    asked = {"prompt": "from the gallery", "width": 96, "height": 64, "steps": 5, "guidance": 2.5}
    picture = {
        "id": "p1",
        "input": asked,
        "seed": 77,
        "model": "demo-image",
        "file": "/files/p1",
        "thumbnail": "",
    }
    page.route("**/api/v1/pictures/p1", lambda route: route.fulfill(json=picture))
    page.route("**/files/p1", lambda route: route.fulfill(body=png(drawing()), content_type="image/png"))
    page.goto("/image?from=p1")
    expect(prompt(page)).to_have_value("from the gallery")
    expect(page).to_have_url(re.compile(r"/image$"))
    job = generate(page)
    assert job["input"] == {**asked, "seed": 77, "count": 1, "negative_prompt": ""}
    page.goto("/image?start=p1")
    expect(page.get_by_role("button", name="Remove the start image")).to_be_visible()
    assert "image" in generate(page)["input"]


def test_a_picture_that_is_gone_is_told_and_nothing_is_lost(signed_in: Page) -> None:
    page = opened_studio(signed_in)
    prompt(page).fill("my own words")
    page.goto("/image?from=00000000-0000-0000-0000-000000000000")
    expect(page.get_by_role("status").filter(has_text="no longer in the gallery")).to_be_visible()
    expect(prompt(page)).to_have_value("my own words")
    expect(page).to_have_url(re.compile(r"/image$"))
