"""The contract holds for our own collector, and finds what is wrong with others."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from runmetrics import (
    Collection,
    ConfigurationError,
    Deadline,
    ExitCode,
    Missing,
    Problem,
    RunRef,
    Sample,
    Setup,
    TemporaryError,
)
from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from runmetrics.testing import collector_contract, contract
from tests.collectors.wandb.collecting import run, sandbox_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAGS = {"collector": "mine"}


@pytest.fixture(scope="module")
def server() -> Iterator[WandbSandbox]:
    summary = {"accuracy": 0.5, "loss": 0.4}
    with sandbox_of(run("one", summary=summary), run("two", "failed")) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def its_variables(server: WandbSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", SANDBOX_KEY)
    monkeypatch.setenv("WANDB_ENTITY", "e")
    monkeypatch.setenv("WANDB_PROJECT", "p")


TestWandb = collector_contract(WandbCollector)


class Scripted:
    """A collector that does what a test wants: one sample, unless told otherwise."""

    name = "mine"

    def __init__(self, act: Callable[[datetime, Deadline], Any]) -> None:
        self.act = act

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        result: Collection = self.act(now, deadline)
        return result


def failure(promise: str, act: Callable[[datetime, Deadline], Any], **variables: str) -> str:
    """What the contract's test says to a collector that acts so; empty when it passes."""
    made = collector_contract(lambda _setup: Scripted(act), variables, seconds=1.0)()
    try:
        getattr(made, f"test_{promise}")()
    except AssertionError as error:
        return str(error)
    return ""


def giving(*samples: Sample, **rest: Any) -> Callable[[datetime, Deadline], Collection]:
    """A collector of these samples, stamped with the instant that was given."""

    def act(now: datetime, _deadline: Deadline) -> Collection:
        stamped = tuple(dataclasses.replace(sample, time=now) for sample in samples)
        return Collection(stamped, **rest)

    return act


def sample(name: str = "mine.size", value: Any = 1.0, **rest: Any) -> Sample:
    return Sample(name, value, NOW, **{"tags": TAGS, **rest})


PROMISES = [name for name in vars(contract.CollectorContract) if name.startswith("test_")]


@pytest.mark.parametrize("promise", [name for name in PROMISES if "installed" not in name])
def test_a_good_collector_passes(promise: str) -> None:
    good = giving(
        sample(run=RunRef("one", "One"), unit="byte"),
        missing=(Missing("mine.rate", "nothing to divide by", "percent", TAGS),),
        problems=(Problem(("mine.age",), "no clock", "buy one", tags=TAGS),),
    )

    assert failure(promise.removeprefix("test_"), good) == ""


@pytest.mark.parametrize(
    ("promise", "act", "said"),
    [
        (
            "it_collects",
            lambda _now, _deadline: None,
            "collect gave NoneType None: return a Collection",
        ),
        (
            "it_collects",
            giving(problems=(Problem(("mine.size",), "no source", "fix it"),)),
            (
                "there is no sample to look at; no source: fix it: "
                "let it read a source that has something"
            ),
        ),
        (
            "it_collects",
            giving(sample(), notices=["a list"]),
            "notices is list ['a list']: make it a tuple",
        ),
        (
            "it_collects",
            giving(sample(), notices=(7,)),
            "notices holds int 7: it is for str alone",
        ),
        (
            "its_names_are_legal",
            giving(sample("mine.größe")),
            '"mine.größe" is not a name that Datadog keeps: write mine.gr_e',
        ),
        (
            "its_values_are_finite_numbers",
            giving(sample(value=math.nan)),
            "mine.size is nan: leave the sample out and say why in a Problem",
        ),
        (
            "its_values_are_finite_numbers",
            giving(sample(value=True)),
            "mine.size is True: make it a number",
        ),
        (
            "its_units_are_known",
            giving(sample(unit="hours")),
            (
                "mine.size: 'hours' is not in Datadog's unit catalogue: "
                "use one of runmetrics.units.UNITS, or none"
            ),
        ),
        (
            "its_tags_are_strings_and_name_the_collector",
            giving(sample(tags={"collector": "mine", "size": 3})),
            "mine.size: the tag 'size': 3 is not of strings: convert it",
        ),
        (
            "its_tags_are_strings_and_name_the_collector",
            giving(sample(tags={"collector": "mine", "a:b": "c"})),
            (
                "mine.size: the tag 'a:b': 'c' would get lost: a key begins with a letter and "
                "has no colon, a value is not empty"
            ),
        ),
        (
            "its_tags_are_strings_and_name_the_collector",
            giving(sample(tags={})),
            "mine.size does not say where it is from: tag it collector:mine",
        ),
        (
            "no_series_comes_twice",
            giving(sample(), sample(value=2.0)),
            "mine.size comes 2 times with the same tags: tell them apart by a tag",
        ),
        (
            "no_series_comes_twice",
            giving(sample(value=0.0), problems=(Problem(("mine.size",), "lost", tags=TAGS),)),
            "mine.size is a sample and in a Problem: what is unknown has no value",
        ),
        (
            "what_is_unknown_has_a_reason",
            giving(sample(), missing=(Missing("mine.rate", "", tags=TAGS),)),
            "what is missing of mine.rate is '': say it in one line",
        ),
        (
            "what_is_unknown_has_a_reason",
            giving(sample(), problems=(Problem(("mine.age",), "a\nb", code=ExitCode.OK),)),
            (
                "a problem's cause is 'a\\nb': say it in one line\n"
                "a problem's code is <ExitCode.OK: 0>: it is one of "
                "TEMPORARY (75), REFUSED (77), CONFIGURATION (78), TERMINATED (143)"
            ),
        ),
        (
            "no_secret_is_in_what_it_says",
            giving(sample(note=f"read with {'0a1b' * 10}")),
            "a secret, or what looks like one, is in 'read with ***': leave it out",
        ),
        (
            "its_names_are_legal",
            lambda _now, _deadline: 1 / 0,
            (
                "mine raised ZeroDivisionError (division by zero): raise a RunmetricsError, "
                "or say in a Problem what could not be known"
            ),
        ),
    ],
)
def test_a_broken_promise_is_named(
    promise: str, act: Callable[[datetime, Deadline], Any], said: str
) -> None:
    assert failure(promise, act) == said


def test_the_value_of_a_variable_that_holds_a_key_is_a_secret() -> None:
    act = giving(sample(tags={**TAGS, "user": "canary-of-no-pattern"}))

    assert failure("no_secret_is_in_what_it_says", act, MINE_TOKEN="canary-of-no-pattern") == (
        "a secret, or what looks like one, is in 'user:***': leave it out"
    )


def test_a_time_of_its_own_is_noticed() -> None:
    said = failure("its_times_are_the_instant_that_was_given", lambda *_: Collection((sample(),)))

    assert said.startswith("mine.size is of 2026-03-01 12:00:00+00:00, not of 20")
    assert said.endswith("+00:00: use the `now` that is given")


def test_a_time_in_another_zone_is_noticed() -> None:
    zone = timezone(timedelta(hours=1))

    def act(now: datetime, _deadline: Deadline) -> Collection:
        return Collection((dataclasses.replace(sample(), time=now.astimezone(zone)),))

    said = failure("its_times_are_the_instant_that_was_given", act)
    assert "is not in UTC: use the `now` that is given" in said


def test_names_that_come_and_go_are_noticed() -> None:
    names = iter(("mine.a", "mine.b"))

    said = failure(
        "the_same_instant_gives_the_same_names", lambda *_: Collection((sample(next(names)),))
    )

    assert said == "\n".join(
        f"{name} came in one of two collections of the same instant: say why in a Problem"
        for name in ("mine.a", "mine.b")
    )


@pytest.mark.parametrize("promise", ["it_ends_when_its_time_is_up", "it_ends_when_it_is_stopped"])
def test_a_collector_that_does_not_end_is_left_behind(
    promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "GRACE_SECONDS", -0.9)

    said = failure(promise, lambda *_: time.sleep(1))

    assert said == (
        "mine was still collecting after 0.1 s: bound every wait by deadline.remaining(), and "
        "sleep with deadline.wait()"
    )


@pytest.mark.parametrize("promise", ["it_ends_when_its_time_is_up", "it_ends_when_it_is_stopped"])
def test_a_collector_may_end_with_an_error_of_ours(promise: str) -> None:
    def act(_now: datetime, deadline: Deadline) -> Collection:
        assert not deadline.wait(5)
        raise TemporaryError("the time is up")

    assert failure(promise, act) == ""


def test_a_source_that_cannot_be_read_fails_the_contract() -> None:
    def act(_now: datetime, _deadline: Deadline) -> Collection:
        raise TemporaryError("no source", "start it")

    assert failure("it_collects", act) == "nothing could be collected: no source: start it"


def test_a_collector_that_is_not_installed_fails_the_contract() -> None:
    made = collector_contract(lambda _setup: Scripted(giving(sample())))()

    with pytest.raises(ConfigurationError, match=r"^there is no collector 'mine': installed are: "):
        made.test_it_is_installed_under_its_name()


def test_a_name_that_is_taken_fails_the_contract() -> None:
    class Other(Scripted):
        name = "wandb"

    def factory(_setup: Setup) -> Other:
        return Other(giving(sample()))

    with pytest.raises(AssertionError) as caught:
        collector_contract(factory)().test_it_is_installed_under_its_name()
    assert str(caught.value) == (
        "wandb is the name of runmetrics.collectors.wandb.collector.WandbCollector: "
        "choose another one"
    )
