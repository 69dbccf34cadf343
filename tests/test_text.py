"""The words that every part of the program uses."""

from datetime import timedelta

import pytest

from runmetrics.logs import quoted
from runmetrics.text import counted, exact_length, one_line, rough_length, some, were


def test_foreign_text_stays_on_one_line_and_steers_no_terminal() -> None:
    assert one_line("a\nb\x1b[31mc\ud800d") == "a b [31mc d"


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")]
)
def test_a_noun_agrees_with_its_count(count: int, words: str) -> None:
    assert counted(count, "run") == words


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert counted(1, "try", "tries") == "1 try"
    assert counted(3, "try", "tries") == "3 tries"


def test_of_many_names_a_few_are_shown() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert some(["a", "b"], most=1) == "a and 1 more"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_window_is_said_exactly(length: timedelta, words: str) -> None:
    assert exact_length(length) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (45, "45 s"), (5400, "90 min"), (93_600, "26 h"), (604_800, "7 d")],
)
def test_an_age_is_said_roughly(seconds: float, words: str) -> None:
    assert rough_length(seconds) == words


def test_a_count_has_its_noun_and_its_verb() -> None:
    assert (were(1, "sample"), were(1200, "sample")) == ("1 sample was", "1,200 samples were")


def test_words_of_others_are_cut_redacted_and_cannot_steer_a_terminal() -> None:
    said = quoted(b"\x1b[2J Basic YXBpOmNhbmFyeS1rZXk=\n" + b"x" * 200)

    assert said.startswith('" [2J Basic *** xxx')
    assert len(said) <= 80 + len('"..."')
