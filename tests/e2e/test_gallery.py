"""The gallery in a real browser, with ten thousand pictures: smooth, findable, and nothing lost by a slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import new_visitor
from tests.e2e.pages import CHROMIUM, JOB_MS, sign_in
from tests.e2e.test_accessibility import faults
from tests.stack import PASSWORD, PEOPLE, Stack

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium on the PATH; install the package chromium."
    ),
]
MANY = 10_000
# More elements than this, and the page would have to slow down somewhere.
ELEMENTS_MAX = 2_500


@pytest.fixture(scope="module")
def full(running_stack: Stack) -> str:
    """Who has a full gallery."""
    email = PEOPLE[1]
    running_stack.manage("shell", "-c", f"from tests.gallery import fill; fill({email!r}, {MANY})")
    return email


@pytest.fixture
def gallery(browser: Browser, studio: str, full: str) -> Iterator[Page]:
    """The full gallery, open."""
    expect.set_options(timeout=20_000)
    context = new_visitor(browser, studio)
    page = context.new_page()
    sign_in(page, full, PASSWORD)
    page.wait_for_url(re.compile(r"/chat$"))
    page.goto("/image/gallery")
    expect(cells(page).first).to_be_visible()
    yield page
    context.close()


def cells(page: Page) -> Locator:
    return page.get_by_role("gridcell")


def cell(page: Page, words: str) -> Locator:
    """The cell of the picture whose prompt ends like this."""
    return cells(page).filter(has=page.get_by_role("img", name=re.compile(re.escape(words) + r"\.$")))


def current(page: Page, words: str) -> Locator:
    """The cell of this picture, if the keys are for it."""
    return cell(page, words).and_(page.locator(".active"))


def elements(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('*').length"))


def scroller(page: Page) -> Locator:
    return page.locator(".rows")


def first_in_sight(page: Page) -> tuple[str, float]:
    """Prompt and place of the topmost picture that is wholly seen."""
    found: list[Any] = page.evaluate(
        """() => {
          const top = document.querySelector('.rows').getBoundingClientRect().top;
          const cells = [...document.querySelectorAll('[role=gridcell]')];
          const all = cells.map(cell => [cell.title, cell.getBoundingClientRect()]);
          const seen = all.filter(([, box]) => box.top >= top);
          seen.sort((a, b) => a[1].top - b[1].top || a[1].left - b[1].left);
          return [seen[0][0], seen[0][1].top];
        }"""
    )
    return str(found[0]), float(found[1])


def scroll_cost_ms(page: Page) -> float:
    """Milliseconds of the page's own thread for each frame of a scroll; waiting for a busy machine is not counted."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent_s() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    before = spent_s()
    page.evaluate(
        """() => new Promise(resolve => {
          const rows = document.querySelector('.rows');
          let left = 120;
          const frame = () => {
            rows.scrollTop -= 90;
            if (left-- > 0) requestAnimationFrame(frame);
            else resolve();
          };
          requestAnimationFrame(frame);
        })"""
    )
    return (spent_s() - before) * 1000 / 120


def api(page: Page, path: str) -> dict[str, Any]:
    found: dict[str, Any] = page.request.get(f"/api/v1/{path}").json()
    return found


def test_ten_thousand_pictures_scroll_to_the_last_one_with_few_elements(gallery: Page) -> None:
    asked: list[str] = []
    gallery.on("request", lambda request: asked.append(request.url))
    expect(gallery.get_by_text("10,000 pictures")).to_be_visible()
    most = 0
    gallery.get_by_role("grid").focus()
    last = gallery.get_by_title(re.compile(rf"number {MANY - 1}\.$"))
    while not last.count():
        gallery.keyboard.press("End")
        most = max(most, elements(gallery))
        gallery.wait_for_timeout(100)
    expect(current(gallery, f"number {MANY - 1}")).to_be_visible()
    assert most < ELEMENTS_MAX
    assert not [url for url in asked if url.endswith("/file")]
    cost = scroll_cost_ms(gallery)
    print(f"{most} elements at most; {cost:.1f} ms for each frame of a scroll")  # noqa: T201
    assert cost < 1000 / 60
    gallery.keyboard.press("Home")
    expect(current(gallery, "number 0")).to_be_visible()


def test_filters_live_in_the_address_and_back_takes_them_back(gallery: Page) -> None:
    search = gallery.get_by_label("Search the prompts")
    search.fill("湖 1232.")
    expect(gallery).to_have_url(re.compile(r"search="))
    expect(cells(gallery)).to_have_count(1)
    expect(cell(gallery, "雪山下的湖, number 1232")).to_be_visible()
    gallery.get_by_role("link", name="Favourites").click()
    expect(gallery.get_by_text("No picture matches")).to_be_visible()
    gallery.go_back()
    expect(search).to_have_value("湖 1232.")
    expect(cells(gallery)).to_have_count(1)
    gallery.reload()
    expect(cells(gallery)).to_have_count(1)
    gallery.go_back()
    expect(search).to_have_value("")
    expect(cell(gallery, "number 0")).to_be_visible()
    gallery.goto("/image/gallery?search=nothing-like-it&model=another-model")
    gallery.get_by_role("button", name="Search for “nothing-like-it”").click()
    expect(cell(gallery, "number 0")).to_be_visible()
    expect(cell(gallery, "number 1")).to_have_count(0)
    expect(gallery).to_have_url(re.compile(r"gallery\?model=another-model$"))


def test_what_is_deleted_comes_back_by_undo_to_its_place(gallery: Page) -> None:
    before = api(gallery, "pictures/counts")["all"]
    cell(gallery, "number 3").hover()
    cell(gallery, "number 3").get_by_role("button", name="Select").click()
    cell(gallery, "number 5").click(modifiers=["Shift"])
    expect(gallery.get_by_text("3 selected")).to_be_visible()
    gallery.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    expect(gallery.get_by_text("3 pictures deleted.")).to_be_visible()
    expect(cell(gallery, "number 4")).to_have_count(0)
    assert api(gallery, "pictures/counts")["all"] == before - 3
    gallery.get_by_role("button", name="Undo").click()
    expect(cell(gallery, "number 4")).to_be_visible()
    titles = [each.get_attribute("title") or "" for each in cells(gallery).all()[:7]]
    assert [title.rpartition(" ")[2] for title in titles] == [f"{number}." for number in range(7)]
    assert api(gallery, "pictures/counts")["all"] == before


def test_the_keys_do_all_that_the_pointer_does(gallery: Page) -> None:
    gallery.get_by_role("grid").focus()
    gallery.keyboard.press("ArrowRight")
    expect(current(gallery, "number 1")).to_be_visible()
    gallery.keyboard.press("f")
    expect(cell(gallery, "number 1").get_by_role("button", name="Favourite")).to_have_attribute(
        "aria-pressed", "true"
    )
    gallery.keyboard.press("Space")
    gallery.keyboard.press("Shift+ArrowRight")
    expect(gallery.get_by_text("2 selected")).to_be_visible()
    gallery.keyboard.press("Escape")
    expect(gallery.get_by_text("2 selected")).to_be_hidden()
    gallery.keyboard.press("Control+a")
    expect(gallery.get_by_text("10,000 selected")).to_be_visible()
    gallery.keyboard.press("Escape")
    gallery.keyboard.press("Enter")
    viewer = gallery.get_by_role("dialog", name="Picture")
    expect(viewer.get_by_role("img", name="number 2")).to_be_visible()
    gallery.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("img", name="number 3")).to_be_visible()
    expect(viewer.get_by_text("euler")).to_be_visible()
    gallery.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(current(gallery, "number 3")).to_be_visible()
    expect(gallery).to_have_url(re.compile(r"/image/gallery$"))
    gallery.get_by_role("link", name="Favourites").click()
    expect(cells(gallery)).to_have_count(1)
    gallery.get_by_role("grid").focus()
    gallery.keyboard.press("f")
    expect(cells(gallery)).to_have_count(0)


def test_boards_are_made_filled_by_dropping_renamed_and_brought_back(gallery: Page) -> None:
    gallery.get_by_role("button", name="New board").click()
    gallery.get_by_label("Name of the board").fill("Boats")
    gallery.keyboard.press("Enter")
    boards = gallery.get_by_role("navigation", name="Places in the gallery")
    board = boards.get_by_role("link", name="Boats")
    cell(gallery, "number 8").drag_to(board)
    expect(boards.get_by_role("link", name="Boats 1")).to_be_visible()
    cell(gallery, "number 9").click(modifiers=["Control"])
    gallery.get_by_label("Put on a board").select_option("Boats")
    expect(boards.get_by_role("link", name="Boats 2")).to_be_visible()
    board.click()
    expect(cells(gallery)).to_have_count(2)
    expect(gallery.get_by_role("heading", name="Boats")).to_be_visible()
    board.hover()
    boards.get_by_role("button", name="More for Boats").click()
    gallery.get_by_role("button", name="Rename").click()
    gallery.get_by_label("Name of the board").fill("Ships")
    gallery.keyboard.press("Enter")
    expect(gallery.get_by_role("heading", name="Ships")).to_be_visible()
    boards.get_by_role("link", name="Ships").hover()
    boards.get_by_role("button", name="More for Ships").click()
    gallery.get_by_role("button", name="Delete").click()
    expect(boards.get_by_role("link", name="Ships")).to_have_count(0)
    expect(cell(gallery, "number 8")).to_be_visible()
    gallery.get_by_role("button", name="Undo").click()
    boards.get_by_role("link", name="Ships 2").click()
    expect(cells(gallery)).to_have_count(2)


def test_two_are_compared_and_one_is_downloaded_or_used_again(gallery: Page) -> None:
    cell(gallery, "number 0").click(modifiers=["Control"])
    cell(gallery, "number 1").click()
    gallery.get_by_role("button", name="Compare").click()
    compare = gallery.get_by_role("dialog", name="Compare two pictures")
    expect(compare.get_by_role("img")).to_have_count(2)
    expect(compare.get_by_role("row", name="Seed 0 1")).to_be_visible()
    compare.get_by_role("button", name="Slider").click()
    compare.get_by_role("slider").fill("20")
    expect(compare.get_by_role("img").last).to_have_css("clip-path", "inset(0px 0px 0px 20%)")
    assert faults(gallery) == []
    compare.get_by_role("button", name="Close").click()
    # At once, before the focus is anywhere again.
    gallery.keyboard.press("Escape")
    expect(compare).to_be_hidden()
    expect(gallery.get_by_text("2 selected")).to_be_hidden()
    cell(gallery, "number 2").click()
    viewer = gallery.get_by_role("dialog", name="Picture")
    with gallery.expect_download() as download:
        viewer.get_by_role("link", name="JPEG").click()
    assert download.value.suggested_filename == "雪山下的湖-number-2-2.jpg"
    assert faults(gallery) == []
    viewer.get_by_role("link", name="Use these").click()
    expect(gallery).to_have_url(re.compile("/image$"))
    expect(gallery.get_by_role("textbox", name=re.compile("^Prompt"))).to_have_value("雪山下的湖, number 2.")
    expect(gallery.get_by_role("textbox", name="Seed")).to_have_value("2")
    gallery.go_back()
    expect(viewer).to_be_visible()
    viewer.get_by_role("link", name="Use as start image").click()
    expect(gallery).to_have_url(re.compile("/image$"))
    expect(gallery.get_by_role("button", name="Image", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_new_picture_waits_while_the_reader_is_further_down(gallery: Page) -> None:
    viewport = scroller(gallery)
    viewport.evaluate("rows => rows.scrollTo(0, 3000)")
    gallery.wait_for_timeout(1000)
    seen = first_in_sight(gallery)
    assert "number 0." not in seen[0]
    gallery.evaluate(
        """async () => {
          const csrf = document.cookie.match(/csrftoken=([^;]+)/)[1];
          const body = {kind: 'image', input: {prompt: 'a fresh picture', steps: 2, width: 64, height: 64}};
          const headers = {'Content-Type': 'application/json', 'X-CSRFToken': csrf};
          await fetch('/api/v1/jobs', {method: 'POST', headers, body: JSON.stringify(body)});
        }"""
    )
    while api(gallery, "pictures/counts")["all"] == MANY:
        gallery.wait_for_timeout(300)
    gallery.evaluate("window.dispatchEvent(new Event('online'))")
    button = gallery.get_by_role("button", name="1 new picture")
    expect(button).to_be_visible(timeout=JOB_MS)
    assert first_in_sight(gallery) == seen
    button.click()
    newest = cells(gallery).filter(has=gallery.get_by_role("img", name="a fresh picture"))
    expect(newest).to_be_visible()
    expect(button).to_be_hidden()


def test_the_gallery_has_no_serious_fault_and_serves_a_phone(gallery: Page) -> None:
    assert faults(gallery) == []
    gallery.set_viewport_size({"width": 390, "height": 844})
    expect(cell(gallery, "number 1")).to_be_visible()
    assert gallery.evaluate("document.documentElement.scrollWidth") == 390
    assert faults(gallery) == []
    gallery.get_by_role("button", name="Show the list").click()
    panel = gallery.get_by_role("dialog", name="List")
    panel.get_by_role("link", name="On no board").click()
    expect(panel).to_be_hidden()
    expect(gallery).to_have_url(re.compile(r"board=none"))
