"""The page as HTML: what is on it, and that nobody's text can break out of it."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from runmetrics.logs import redact
from runmetrics.model import Missing, RunRef
from runmetrics.serve import page
from tests.serve.scene import TAGS, Script, a_week, by_user, gpu_hours, outcome, sample, unknown

EVIL = '"><script>alert(1)</script>\x00\ud800\u202e<img src=x onerror=alert(2)>'


class Tags(HTMLParser):
    """Names of the tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes += [name for name, _ in attrs]


def html(script: Script) -> str:
    return page.html(script.loop).decode()


def text(script: Script) -> str:
    """What a reader sees, roughly."""
    body = html(script).partition("</head>")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_a_tile_shows_value_unit_holder_and_history() -> None:
    run = RunRef("r1", "amber-moon-1", "https://wandb.ai/e/p/runs/r1")
    held = {"unit": "hour", "description": "The longest run", "run": run}

    script = Script(outcome(sample("a.x", 3, **held)), outcome(sample("a.x", 1234.5, **held)))

    assert "a x 1,234.5 hours The longest run run amber-moon-1 3 to 1,234.5 last 30 min" in text(
        script
    )
    assert '<a href="https://wandb.ai/e/p/runs/r1" rel="noreferrer">' in html(script)
    assert 'aria-label="a.x, last 30 min: 3 to 1,234.5"' in html(script)


def test_the_chart_is_in_proportion_to_time_and_value() -> None:
    script = Script(*(outcome(sample("a.x", value)) for value in (0, 1, 0.5)))

    assert 'class="line" d="M0.0 43.0L120.0 5.0L240.0 24.0"' in html(script)
    assert 'class="area" d="M0.0 43.0L120.0 5.0L240.0 24.0L240.0 48L0.0 48Z"' in html(script)
    assert 'class="dot" d="M240.0 24.0h0"' in html(script)


def test_the_line_breaks_where_nothing_was_learned() -> None:
    known, lost = outcome(sample("a.x", 1)), outcome(problems=(unknown("a.x"),))

    script = Script(known, known, lost, known, known)

    assert re.findall(r'class="line" d="([^"]*)"', html(script)) == [
        "M0.0 24.0L60.0 24.0",
        "M180.0 24.0L240.0 24.0",
    ]


def test_a_first_value_has_no_history_yet() -> None:
    script = Script(outcome(sample("a.x", 1)))

    assert "<svg" not in html(script).partition("<main>")[2]


def test_no_data_and_unknown_are_told_apart() -> None:
    script = Script(
        outcome(
            sample("a.x", 1),
            missing=(Missing("a.y", "0 of 5 runs have a loss", tags=TAGS),),
            problems=(unknown("a.z", cause="W&B said no", fix="ask again"),),
        )
    )

    assert "1 problem data 30 min old" in text(script)
    assert "W&B said no ask again a.z" in text(script)
    assert "y no data 0 of 5 runs have a loss" in text(script)
    assert "z unknown" in text(script)


def test_a_value_that_is_held_shows_its_age() -> None:
    script = Script(outcome(sample("a.x", 5)), outcome(problems=(unknown("a.x"),)))

    assert "Nothing could be read" in text(script)
    assert "x 60 min old 5" in text(script)


def test_a_delivery_that_failed_is_a_problem_too() -> None:
    script = a_week(trouble=True)

    assert "2 problems data 7 h old" in text(script)
    assert "Datadog answered 503 for 20 s: nothing to do, the next run sends it again" in text(
        script
    )
    assert "datadog accepted 0 of 7 samples (6 requests, 0 bytes); 7 wait in the spool" in text(
        script
    )
    assert "the local clock is 75 s behind W&B's" in text(script)


def test_several_projects_have_a_heading_each_and_series_their_tags() -> None:
    there = sample("a.x", 2, tags={"wandb_project": "q", "user": "ann"})

    script = Script(outcome(sample("a.x", 1), there))

    assert "e/p, e/q All is known" in text(script)
    assert "e/p · a x 1" in text(script)
    assert "e/q · a x 2 user:ann" in text(script)


def test_many_metrics_do_not_make_an_endless_page() -> None:
    many = [sample(f"a.x{number}", 1) for number in range(250)]

    script = Script(outcome(*many))

    assert html(script).count("<article") == 200
    assert "And 50 more series at /metrics." in text(script)


def test_a_metric_split_by_user_is_one_card_the_greatest_first() -> None:
    script = Script(outcome(*reversed(by_user(3))))

    assert html(script).count("<article") == 1
    assert (
        "gpu_hours_by_user by user GPU hours of the last 7 days by user "
        "user-00 5,000 hours user-01 2,500 hours user-02 1,666.7 hours"
    ) in text(script)
    assert re.findall(r'class="share" x="0.000" width="([0-9.]+)"', html(script)) == [
        *("100.000", "50.000", "33.334")
    ]


def test_a_list_shows_twenty_and_counts_the_rest() -> None:
    script = Script(outcome(*by_user(25)))

    assert html(script).count('<li><span class="label"') == 20
    assert "user-19 250 hours And 5 more at /metrics." in text(script)


def test_a_list_says_which_value_is_old_and_which_run_holds_it() -> None:
    run = RunRef("r1", "amber-moon-1", "https://wandb.ai/e/p/runs/r1")
    both = [sample("a.x", n, tags={"user": f"u{n}", "group": "g"}, run=run) for n in (1, 2)]
    lost = unknown("a.x")
    lost = replace(lost, tags={**lost.tags, "user": "u1"})

    script = Script(outcome(*both), outcome(both[1], problems=(lost,)))

    assert "x by user u2 run amber-moon-1 2 u1 run amber-moon-1 60 min old 1" in text(script)


def test_the_parts_of_the_gpu_hours_are_one_bar_that_is_all_of_them() -> None:
    script = Script(outcome(*gpu_hours(), sample("wandb.gpu_hours.assumed_7d", 12, unit="hour")))

    found = html(script)
    widths = [
        float(width)
        for width in re.findall(
            r'class="(?:active|stalled|unlogged) n\d" [^>]*width="([0-9.]+)', found
        )
    ]
    assert widths == [51.5, 22.875, 11.375, 3.0, 7.75, 3.5]
    assert sum(widths) == 100
    assert (
        "Where the GPU hours went 8,000 hours active, finished 4,120 hours 52 % "
        "active, running 1,830 hours 23 %"
    ) in text(script)
    assert "stalled 620 hours 8 % unlogged 280 hours 4 % assumed_7d 12 hours" in text(script)


@pytest.mark.parametrize(
    ("hours", "shares"), [((2654, 1.5, 0), (">99 %", "<1 %", "0 %")), ((9, 0, 0), ("100 %", "0 %"))]
)
def test_a_small_part_of_the_gpu_hours_is_no_zero_and_what_is_not_all_no_hundred(
    hours: tuple[float, ...], shares: tuple[str, ...]
) -> None:
    parts = zip(("active", "stalled", "unlogged"), hours, strict=True)
    script = Script(
        outcome(
            *(sample(f"wandb.gpu_hours.{name}_7d", value, unit="hour") for name, value in parts)
        )
    )

    assert re.findall(r"[<>]?[0-9]+ %", text(script))[: len(shares)] == [*shares]


def test_without_one_of_the_parts_there_is_no_bar_since_it_would_not_be_all() -> None:
    known = [each for each in gpu_hours() if "unlogged" not in each.name]

    script = Script(outcome(*known, problems=(unknown("wandb.gpu_hours.unlogged_7d"),)))

    assert "Where the GPU hours went" not in text(script)
    assert "unlogged_7d unknown" in text(script)


def test_a_change_of_a_thousandth_is_no_cliff() -> None:
    script = Script(*(outcome(sample("a.x", value)) for value in (306.0, 306.1)))

    (line,) = re.findall(r'class="line" d="M0.0 ([0-9.]+)L240.0 ([0-9.]+)"', html(script))
    assert line == ("24.3", "23.7")
    assert "306 to 306.1" in text(script)


def test_nobodys_text_breaks_out_of_the_page() -> None:
    run = RunRef(EVIL, EVIL, 'javascript:alert(1)//"onclick="x')
    evil = sample(
        "a.x", 1, tags={"user": EVIL, "wandb_project": EVIL}, run=run, note=EVIL, description=EVIL
    )
    script = Script(
        outcome(evil, problems=(unknown("a.y", cause=EVIL, fix=EVIL),), notices=(EVIL,))
    )

    found = html(script)
    tags = Tags()
    tags.feed(found)
    assert tags.found.count("script") == 1
    assert "img" not in tags.found
    assert [name for name in tags.attributes if name.startswith("on")] == []
    assert "javascript:" not in found
    assert "\x00" not in found
    assert "\u202e" not in found


def test_no_secret_is_shown() -> None:
    redact.add("canary-of-no-known-pattern")
    cause = "W&B said: canary-of-no-known-pattern"

    script = Script(outcome(problems=(unknown("a.x", cause=cause),), notices=(cause,)))

    assert "canary" not in html(script)
    assert "W&B said: ***" in text(script)


def test_nothing_comes_from_outside() -> None:
    found = html(a_week())

    assert re.findall(r'(?:src|href)="(?!https://wandb\.ai/|/|data:)', found) == []
    assert "@import" not in found
    assert "url(" not in found
    assert page.policy().startswith("default-src 'none'; style-src 'sha256-")
