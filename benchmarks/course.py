"""Measure the course in a browser: how soon it can be used, what a lesson asks for, how smoothly its pictures move.

    python -m benchmarks.course                 # needs Chromium and playwright

A line for each lesson: requests and kilobytes of a cold start, seconds until its first figure is drawn, and drawings a
second while one of its sliders is dragged for two seconds.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from ichikara.course.lessons import READY

WATCH = """() => {
    window.drawn = {};
    const seen = (name) => () => (window.drawn[name] = (window.drawn[name] ?? 0) + 1);
    const watch = (host) => new MutationObserver(seen(host.dataset.figure)).observe(host, {childList: true});
    document.querySelectorAll('[data-figure]').forEach(watch);
}"""
FIRST = """() => new Promise((resolve) => {
    const drawn = () => document.querySelector('.chart > svg');
    const look = () => drawn() ? resolve(performance.now()) : requestAnimationFrame(look);
    look();
})"""


def started(port: int) -> tuple[subprocess.Popen, str, float]:
    """A server, its token, and the seconds until it could be used."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ichikara", "learn", "--no-browser", "--port", str(port), "--lang", "en"],
        env={**os.environ, "XDG_STATE_HOME": tempfile.mkdtemp(), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    found = re.search(r"token=(\S+)", process.stderr.readline())
    assert found
    return process, found[1], time.perf_counter() - begin


def frames(page) -> float | None:
    """Drawings of a figure a second while the lesson's first slider beside figures is dragged to and fro."""
    slider = page.query_selector(".two .slider input")
    if slider is None:
        return None
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.evaluate(WATCH)
    y, left, wide = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page.mouse.move(left, y)
    page.mouse.down()
    begin, step = time.perf_counter(), 0
    while (seconds := time.perf_counter() - begin) < 2:
        step += 1
        share = abs((step / 60) % 2 - 1)
        page.mouse.move(left + share * wide, y)
    drawn = page.evaluate("Math.max(0, ...Object.values(window.drawn))")
    page.mouse.up()
    return drawn / seconds


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8651)
    parser.add_argument("lessons", nargs="*", default=READY)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    process, token, seconds = started(options.port)
    base = f"http://127.0.0.1:{options.port}"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            print(f"the course can be used {seconds:.2f} s after its start\n")
            print(f"{'lesson':16}{'requests':>9}{'kB':>7}{'first figure, s':>17}{'drawings a second':>19}")
            for slug in options.lessons:
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page, asked, kilobytes = context.new_page(), [], []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                size = lambda response, kept=kilobytes: kept.append(
                    int(response.headers.get("content-length", 0)) / 1e3
                )
                page.on("response", size)
                page.goto(f"{base}/en/{slug}?open=1&token={token}")
                first = page.evaluate(FIRST) / 1e3
                page.wait_for_load_state("networkidle")
                cold = len(asked), sum(kilobytes)
                page.wait_for_timeout(500)
                rate = frames(page)
                shown = "" if rate is None else f"{rate:.0f}"
                print(f"{slug:16}{cold[0]:9}{cold[1]:7.0f}{first:17.2f}{shown:>19}", flush=True)
                context.close()
            browser.close()
    finally:
        process.terminate()
        process.communicate(timeout=10)


if __name__ == "__main__":
    main()
