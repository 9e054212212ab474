"""Each lesson in a browser: opened, predicted, moved by mouse and keys, solved wrongly and rightly, translated.

Chromium is the system's: `apt install chromium`. No test asks for anything outside this machine, and each says so.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from ichikara.course.controls import Choice, Formula, Slider, Switch, Words
from ichikara.course.lessons import READY, lesson_of
from ichikara.words import LANGUAGES

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium"),
]
each = pytest.mark.parametrize("slug", READY)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """`ichikara learn` on a free port; its address with the token, by a path."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = tmp_path_factory.mktemp("state")
    process = subprocess.Popen(
        [sys.executable, "-m", "ichikara", "learn", "--no-browser", "--port", str(port), "--lang", "en"],
        env={**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    token = re.search(r"token=(\S+)", line)
    assert token, line
    yield lambda path: f"http://127.0.0.1:{port}{path}{'&' if '?' in path else '?'}token={token[1]}"
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture(scope="session")
def chromium():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page that notes what goes wrong: errors on the console, requests to other machines, bytes and times."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.errors, self.asked, self.bytes = [], [], 0
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("response", self._response)

    def _response(self, response):
        if response.status < 300:
            self.bytes += int(response.headers.get("content-length", 0))

    def open(self, address):
        self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def close(self):
        self.context.close()
        assert self.errors == []
        assert [url for url in self.asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []


@pytest.fixture
def browse(chromium):
    opened = []

    def start(**options):
        opened.append(Watched(chromium, **options))
        return opened[-1]

    yield start
    for watched in opened:
        watched.close()


def until(page, expression, arg=None, seconds=20):
    """Wait until an expression is true. The pages' policy forbids Playwright's own way, which evaluates strings."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"after {seconds} s this is not true: {expression} of {arg}"
        page.wait_for_timeout(30)


def commit(page):
    """Choose the first answer of each prediction, and commit to it."""
    for host in page.query_selector_all("[data-prediction]"):
        host.query_selector(".opt").click()
        host.query_selector(".commit button").click()
    page.wait_for_selector(".rest", state="visible")
    until(page, "[...document.querySelectorAll('[data-prediction]')].every((p) => p.classList.contains('done'))")


def settle(page):
    """Wait until what was asked for is shown, and the address holds it."""
    page.wait_for_timeout(250)
    until(page, "!document.body.classList.contains('waiting')")
    page.wait_for_timeout(150)  # the address follows 120 ms after what is shown


# --- lessons ----------------------------------------------------------------------------------------------------------


@each
def test_nothing_is_shown_before_the_prediction(server, browse, slug):
    page = browse().open(server(f"/en/{slug}"))
    assert not page.is_visible(".rest")
    assert page.is_visible(".veil")
    if page.query_selector(".prediction .opt input[type=radio]"):
        page.query_selector(".commit button").click()
        assert page.is_visible(".commit .note")
        assert not page.is_visible(".rest")
    commit(page)
    assert page.is_visible(".prediction .fb")
    page.reload()
    page.wait_for_selector(".rest", state="visible")
    page.wait_for_selector(".opt input:disabled", state="attached")


VALUE = "(name) => new URLSearchParams(location.search).get(name)"


def changed(page, name, before):
    """Wait until the address has another value of a control, and return it."""
    moved = "([name, before]) => new URLSearchParams(location.search).get(name) !== before"
    until(page, moved, [name, before])
    return page.evaluate(VALUE, name)


@each
def test_every_control_moves_by_mouse_and_by_key(server, browse, slug):
    page, lesson = browse().open(server(f"/en/{slug}?open=1")), lesson_of(slug)
    page.wait_for_selector(".rest", state="visible")
    for host in page.query_selector_all("[data-control]"):
        name = host.get_attribute("data-control")
        control, field, value = lesson.controls[name], host.query_selector("input"), page.evaluate(VALUE, name)
        host.scroll_into_view_if_needed()
        if isinstance(control, Slider):
            box = field.bounding_box()
            share = 0.83 if float(field.input_value()) < 0.5 else 0.21
            page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
            value = changed(page, name, value)
            field.focus()
            page.keyboard.press("ArrowLeft" if share > 0.5 else "ArrowRight")
            changed(page, name, value)
        elif isinstance(control, Choice):
            other = next(option for option in control.options if option != control.value)
            host.query_selector(f'label:has(input[value="{other}"])').click()
            assert changed(page, name, value) == other
            host.query_selector(f'input[value="{other}"]').focus()
            page.keyboard.press("ArrowLeft")
            changed(page, name, other)
        elif isinstance(control, Switch):
            field.click()
            value = changed(page, name, value)
            field.focus()
            page.keyboard.press("Space")
            changed(page, name, value)
        elif isinstance(control, Words):
            field.press("End")
            page.keyboard.type(" ")
            changed(page, name, value)
    settle(page)
    assert page.inner_text(".problem") == ""


def moves(page, name, i):
    """Whether the page changes when the i-th handle of a name is moved or pressed by mouse and by key."""
    handle = lambda: page.query_selector_all(f'[data-key^="{name}-"]')[i]
    handle().scroll_into_view_if_needed()
    box, before = handle().query_selector(".hit").bounding_box(), page.url
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 14, y - 22, steps=4)
    page.mouse.up()
    settle(page)
    dragged = page.url
    handle().focus()
    page.keyboard.press("Enter" if "press" in (handle().get_attribute("class") or "") else "Shift+ArrowDown")
    settle(page)
    return page.url != before or dragged != before


@each
def test_a_formula_that_cannot_be_read_is_answered_beside_its_field(server, browse, slug):
    controls = lesson_of(slug).controls
    page = browse().open(server(f"/en/{slug}?open=1"))
    pictures = "[...document.querySelectorAll('svg[aria-label]')].map((svg) => svg.getAttribute('aria-label')).join()"
    said = "(name) => document.getElementById(`p-${name}`).textContent"
    for name in [name for name, control in controls.items() if isinstance(control, Formula)]:
        before = page.evaluate(pictures)
        page.fill(f"#c-{name}", controls[name].value + " +")
        until(page, said, name)
        settle(page)
        assert page.evaluate(said, name).startswith("After “+”")
        assert page.inner_text(".problem") == ""
        assert page.input_value(f"#c-{name}").endswith(" +")  # what was typed stays, and so do the pictures
        assert page.evaluate(pictures) == before
        page.fill(f"#c-{name}", controls[name].value + " + 1")
        until(page, f"(name) => !({said})(name)", name)
    settle(page)


@each
def test_handles_move_by_mouse_and_by_key(server, browse, slug):
    page = browse().open(server(f"/en/{slug}?open=1"))
    page.wait_for_selector(".rest", state="visible")
    keys = page.evaluate(
        "[...new Set([...document.querySelectorAll('[data-key]')].map((g) => g.dataset.key.replace(/-\\d+$/, '')))]"
    )
    for name in keys:
        count = len(page.query_selector_all(f'[data-key^="{name}-"]'))
        moved = any(moves(page, name, i) for i in range(min(count, 3)))
        assert moved or count == 1, name  # what is pressed alone may be chosen already
    assert page.inner_text(".problem") == ""


def fill(host, exercise, answer):
    if exercise.kind == "code":
        host.query_selector("textarea").fill(answer)
    elif exercise.kind == "choice":
        host.query_selector(f'label:has(input[value="{answer}"])').click()
    else:
        for name, text in answer.items():
            host.query_selector(f'input[name="{name}"]').fill(str(text))


@each
def test_exercises_are_solved_wrongly_and_rightly(server, browse, slug):
    page, lesson = browse().open(server(f"/en/{slug}?open=1")), lesson_of(slug)
    page.wait_for_selector(".rest", state="visible")
    for name, exercise in lesson.exercises.items():
        host = page.query_selector(f'[data-exercise="{name}"]')
        misconception, wrong = next(iter(exercise.wrong.items()))
        for reply, answer in ((misconception, wrong), ("right", exercise.right)):
            fill(host, exercise, answer)
            host.query_selector(".row button.btn").click()
            page.wait_for_selector(f'[data-exercise="{name}"] [data-reply="{reply}"]', state="visible", timeout=20_000)
            assert len([r for r in host.query_selector_all(".reply") if r.is_visible()]) == 1
            assert "{{" not in host.inner_text()
    page.reload()
    page.wait_for_selector(".rest", state="visible")
    for name, exercise in lesson.exercises.items():  # what was answered is kept
        if exercise.kind == "code":
            assert page.input_value(f'[data-exercise="{name}"] textarea') == exercise.right


@each
def test_claims_and_experiments_are_computed_and_stopped(server, browse, slug):
    page = browse().open(server(f"/en/{slug}?open=1"))
    page.wait_for_selector(".rest", state="visible")
    for host in page.query_selector_all("[data-claim]"):
        host.query_selector("button").click()
        name = host.get_attribute("data-claim")
        page.wait_for_selector(f'[data-claim="{name}"] .result', state="visible", timeout=20_000)
        assert all(number.inner_text() for number in host.query_selector_all("[data-number]"))
    for host in page.query_selector_all("[data-experiment]"):
        button = host.query_selector(".row button")
        words = button.inner_text()
        button.click()
        name = host.get_attribute("data-experiment")
        note = host.query_selector(".row .note")
        until(page, "(note) => note.textContent", note)
        if button.inner_text() != words:
            button.click()
        until(page, "([button, words]) => button.textContent === words", [button, words])


@each
def test_the_address_gives_the_same_view_in_the_other_language(server, browse, slug):
    page, lesson = browse().open(server(f"/en/{slug}?open=1")), lesson_of(slug)
    page.wait_for_selector(".rest", state="visible")
    host = page.query_selector("[data-control]")
    if host is None:
        pytest.skip("this lesson has no control on its page")
    name = host.get_attribute("data-control")
    field = host.query_selector("input")
    field.focus()
    page.keyboard.press("ArrowRight" if not isinstance(lesson.controls[name], Switch) else "Space")
    settle(page)
    alts = lambda: page.evaluate("[...document.querySelectorAll('.chart > svg')].length")
    query, count = page.evaluate("location.search"), alts()
    page.click("#language")
    page.wait_for_url("**/ja/**")
    page.wait_for_selector(".rest .chart svg", state="attached")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.evaluate("location.search") == query
    assert alts() == count
    page.go_back()
    page.wait_for_url("**/en/**")
    assert page.evaluate("document.documentElement.lang + location.search") == "en" + query


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lesson_is_accessible(server, browse, slug, language):
    from axe_playwright_python.sync_playwright import Axe

    for theme in ("light", "dark"):
        page = browse(color_scheme=theme, bypass_csp=True).open(server(f"/{language}/{slug}?open=1"))
        page.wait_for_selector(".rest", state="visible")
        commit_all = page.query_selector_all("[data-claim] button")
        for button in commit_all[:2]:
            button.click()
        settle(page)
        found = Axe().run(page).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []


@each
@pytest.mark.parametrize(("width", "language"), [(390, "ja"), (390, "en"), (768, "en"), (1600, "ja")])
def test_nothing_is_wider_than_the_screen(server, browse, slug, width, language):
    page = browse(viewport={"width": width, "height": 844}).open(server(f"/{language}/{slug}?open=1"))
    page.wait_for_selector(".rest", state="visible")
    for button in page.query_selector_all("[data-claim] button"):
        button.click()
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => [...document.querySelectorAll('.chart:not(.pic) > svg:not(.graph) text')].filter((text) => {
            const svg = text.ownerSVGElement, scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return scale > 0 && parseFloat(getComputedStyle(text).fontSize) * scale < 12.9;
        }).length"""
    )
    assert small == 0


@each
def test_a_lesson_opens_with_little(server, browse, slug):
    for language in LANGUAGES:
        watched = browse()
        watched.open(server(f"/{language}/{slug}"))
        assert len(watched.asked) < 20, watched.asked
        assert watched.bytes < 1_500_000


# --- the rest of the course -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_map_keeps_progress_and_gives_it_as_a_file(server, browse, language, tmp_path):
    watched = browse()
    page = watched.open(server(f"/{language}/neuron?open=1"))
    lesson = lesson_of("neuron")
    page.wait_for_selector(".rest", state="visible")
    exercise = lesson.exercises["doubling"]
    host = page.query_selector('[data-exercise="doubling"]')
    fill(host, exercise, exercise.right)
    host.query_selector(".row button.btn").click()
    page.wait_for_selector('[data-exercise="doubling"] [data-reply="right"]', state="visible")
    page.click(".mark")
    page.wait_for_load_state("networkidle")
    assert "now" in page.get_attribute('[data-slug="neuron"]', "class")
    with page.expect_download() as download:
        page.click("#export")
    file = tmp_path / "progress.json"
    download.value.save_as(file)
    other = browse().open(server(f"/{language}/"))
    assert "now" not in (other.get_attribute('[data-slug="neuron"]', "class") or "")
    other.set_input_files("#import", file)
    until(other, "document.querySelector('#progress').textContent")
    assert "now" in other.get_attribute('[data-slug="neuron"]', "class")
    file.write_text("[]")
    other.set_input_files("#import", file)


def test_a_link_from_elsewhere_finds_its_page(server, browse):
    watched = browse()
    page = watched.open(server("/en/neuron?open=1"))
    own = page.url.split("?")[0]
    page.goto("data:text/html,<a href='" + own + "?w1=2.5&open=1'>slides</a>")
    page.click("a")
    page.wait_for_selector(".rest", state="visible")
    assert "again" not in page.url
    assert "w1=2.5" in page.url


def test_a_class_steps_by_keys(server, browse):
    page = browse().open(server("/en/neuron?open=1&present=1"))
    page.wait_for_selector(".rest", state="visible")
    assert not page.is_visible(".hint")
    before = page.evaluate("scrollY")
    page.keyboard.press("PageDown")
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > before


def test_dragging_is_smooth(server, browse, record_property):
    """Frames a second while a slider is dragged: measured and recorded; speed is not asserted here."""
    page = browse().open(server("/en/neuron?open=1"))
    page.wait_for_selector(".rest", state="visible")
    slider = page.query_selector('[data-control="w1"] input')
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.evaluate("""() => {
        window.drawn = 0;
        new MutationObserver((found) => (window.drawn += found.length > 0))
            .observe(document.querySelector('[data-figure="plane"]'), {childList: true});
    }""")
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    began = time.perf_counter()
    for step in range(120):
        page.mouse.move(box["x"] + 10 + step * (box["width"] - 20) / 120, box["y"] + box["height"] / 2)
    seconds = time.perf_counter() - began
    page.mouse.up()
    settle(page)
    record_property("frames_a_second", page.evaluate("window.drawn") / seconds)
    assert page.evaluate("window.drawn") > 1
