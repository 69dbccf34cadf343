"""The page as people see it: a real Chromium, in light and dark, wide and narrow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Page

from runmetrics.serve.server import Server
from tests.serve.scene import Script, a_week, by_user, gpu_hours, outcome, sample, unknown

MINUTE = 60_000  # milliseconds
TITLES = [
    *("active", "completed_7d", "failed_7d", "total"),
    *("best_accuracy", "latest_loss", "avg_accuracy_7d"),
    *("avg_duration_hours", "gpu_utilization_avg", "total_gpu_hours_7d"),
]


@contextmanager
def seen(
    browser: Browser,
    server: Server,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    tolerated: str = "ERR_CONNECTION_REFUSED",
) -> Iterator[Page]:
    """The page in a window of its own, on a clock that is moved.

    Nothing may go wrong in it but what is tolerated, and nothing is asked of anybody else.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    tab = context.new_page()
    complaints: list[str] = []
    asked: set[str] = set()

    def dismiss(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", dismiss)
    tab.on("request", lambda request: asked.add(request.url))
    tab.clock.install()
    tab.goto(f"{server.url}/")
    yield tab
    context.close()
    assert [text for text in complaints if tolerated not in text] == []
    assert {url for url in asked if not url.startswith("data:")} == {f"{server.url}/"}


@pytest.fixture(scope="module")
def week() -> Script:
    script = a_week()
    script.clock.seconds -= 22 * 60
    return script


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Where screenshots go: PAGE_IMAGES, to look at them."""
    return Path(os.environ.get("PAGE_IMAGES", tmp_path))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ten_are_tiles_with_a_chart_each_and_fit_the_window(
    browser: Browser, week: Script, images: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    with (
        Server(week.loop, "127.0.0.1", 0) as server,
        seen(browser, server, scheme=scheme, width=width) as tab,
    ):
        assert tab.locator(".tile h3").all_inner_texts() == TITLES
        assert tab.locator(".tile .chart .line").count() == 10
        assert tab.locator(".pill").inner_text() == "All is known"
        assert tab.locator(".state").inner_text().split("\n")[-2:] == [
            "data 8 min old",
            "next collection in 22 min",
        ]
        assert tab.title() == "All is known - pufferai/metta"
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        for box in (tile.bounding_box() for tile in tab.locator(".tile .chart").all()):
            assert box is not None
            assert box["width"] > 200
            assert box["height"] > 40
        paper, ink = (
            tab.evaluate(f"getComputedStyle(document.body).{name}")
            for name in ("backgroundColor", "color")
        )
        assert (brightness(paper) > brightness(ink)) == (scheme == "light")
        tab.screenshot(path=images / f"page-{scheme}-{width}.png", full_page=True)


def brightness(colour: str) -> int:
    """Of "rgb(1, 2, 3)"."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.mark.parametrize("width", [1920, 1280, 768, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_users_and_gpu_hours_fit_the_window_as_one_card_each(
    browser: Browser, images: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    few = by_user(3, "wandb.training.hours_by_team")
    script = Script(outcome(*gpu_hours(), sample("wandb.training.x", 9), *few, *by_user(25)))
    with (
        Server(script.loop, "127.0.0.1", 0) as server,
        seen(browser, server, scheme=scheme, width=width) as tab,
    ):
        assert tab.locator(".tile").count() == 4
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("document.documentElement.scrollHeight") < 2400
        bar = tab.locator(".parts .bar").bounding_box()
        assert bar is not None
        parts = [part.bounding_box() for part in tab.locator(".parts rect").all()]
        assert sum(part["width"] for part in parts if part) == pytest.approx(bar["width"], abs=1)
        colours = tab.evaluate(
            "[...document.querySelectorAll('.parts rect')].map(x => getComputedStyle(x).fill)"
        )
        keys = tab.evaluate(
            "[...document.querySelectorAll('.parts .key')]"
            ".map(x => getComputedStyle(x).backgroundColor)"
        )
        assert colours == keys
        assert len(set(colours)) == 6
        tab.screenshot(path=images / f"parts-{scheme}-{width}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_the_docs_has_the_ten_the_parts_and_the_users(
    browser: Browser, images: Path, scheme: Literal["light", "dark"]
) -> None:
    """docs/images/page.png is what this writes as page-light.png."""
    script = a_week(hours=True)
    script.clock.seconds -= 22 * 60
    with (
        Server(script.loop, "127.0.0.1", 0) as server,
        seen(browser, server, scheme=scheme) as tab,
    ):
        assert tab.locator(".tile").count() == 12
        tab.screenshot(path=images / f"page-{scheme}.png", full_page=True)


def test_trouble_stands_above_the_tiles_with_its_fix(browser: Browser, images: Path) -> None:
    with Server(a_week(trouble=True).loop, "127.0.0.1", 0) as server, seen(browser, server) as tab:
        first = tab.locator(".problem").first
        assert first.locator("p").all_inner_texts()[:2] == [
            "W&B cannot serve systemMetrics of run 7f2c (eager-moon-3)",
            "open the run at https://wandb.ai/pufferai/metta/runs/7f2c, or tell W&B's support",
        ]
        box, tile = first.bounding_box(), tab.locator(".tile").first.bounding_box()
        assert box is not None
        assert tile is not None
        assert box["y"] + box["height"] < tile["y"]
        assert tab.locator(".held .badge").all_inner_texts() == ["7 h old", "7 h old"]
        tab.screenshot(path=images / "page-trouble.png", full_page=True)


def test_it_renews_itself_and_says_so_when_nobody_answers(browser: Browser) -> None:
    script = Script(outcome(sample("a.x", 1)))
    with Server(script.loop, "127.0.0.1", 0) as server, seen(browser, server) as tab:
        assert tab.locator(".value").inner_text() == "1"
        assert not tab.locator(".lost").is_visible()
        script.loop.snapshot = Script(outcome(sample("a.x", 2))).loop.snapshot
        tab.clock.fast_forward(MINUTE)
        tab.locator(".value", has_text="2").wait_for(timeout=60_000)

        server.__exit__()
        tab.clock.fast_forward(MINUTE)
        tab.locator(".lost").wait_for(state="visible", timeout=60_000)
        assert tab.locator(".value").inner_text() == "2"


def test_nobodys_text_runs_in_it(browser: Browser) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    script = Script(
        outcome(
            sample("a.x", 1, note=evil, description=evil), problems=(unknown("a.y", cause=evil),)
        )
    )
    policy = "violates the following Content Security Policy directive"
    with (
        Server(script.loop, "127.0.0.1", 0) as server,
        seen(browser, server, tolerated=policy) as tab,
    ):
        assert tab.locator(".what").inner_text() == evil
        assert tab.locator(".cause").inner_text() == evil
        assert tab.locator("img").count() == 0
        markup = "<b onclick=alert(3)>x</b>"  # were there any, it would not run
        with tab.expect_console_message(lambda message: policy in message.text):
            tab.evaluate(f"document.body.insertAdjacentHTML('beforeend', '{markup}')")
