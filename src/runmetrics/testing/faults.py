"""What can be wrong with a collection: a function a promise, a line a fault ("what: fix").

Pure: whether a collector is right is decided here, how it is made to collect is not.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from runmetrics.collectors.wandb.metrics.language import parse_name
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.logs import Redactor
from runmetrics.model import Collection, Missing, Problem, RunRef, Sample
from runmetrics.units import UNITS

_PARTS = {"samples": Sample, "missing": Missing, "problems": Problem, "notices": str}
_CODES = (ExitCode.TEMPORARY, ExitCode.REFUSED, ExitCode.CONFIGURATION, ExitCode.TERMINATED)
_SECRET_VARIABLE = re.compile(r"(?!RUNMETRICS_).*(API_KEY|TOKEN|PASSWORD|SECRET)")


def kinds(collected: object) -> Iterator[str]:
    """It is a Collection, of tuples of what belongs into them, and holds a sample."""
    if not isinstance(collected, Collection):
        yield f"collect gave {_kind(collected)}: return a Collection"
        return
    for part, kind in _PARTS.items():
        held = getattr(collected, part)
        if not isinstance(held, tuple):
            yield f"{part} is {_kind(held)}: make it a tuple"
        for each in held:
            if not isinstance(each, kind):
                yield f"{part} holds {_kind(each)}: it is for {kind.__name__} alone"
    if not collected.samples:
        why = "".join(f"; {problem}" for problem in collected.problems)
        yield f"there is no sample to look at{why}: let it read a source that has something"


def names(collected: Collection) -> Iterator[str]:
    """Every name is one that Datadog keeps as it is."""
    for name in dict.fromkeys(_all_names(collected)):
        try:
            parse_name(name)
        except ValueError as error:
            yield str(error)


def values(collected: Collection) -> Iterator[str]:
    """Every value is a finite number."""
    for sample in collected.samples:
        value = sample.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{sample.name} is {value!r}: make it a number"
        elif not math.isfinite(value):
            yield f"{sample.name} is {value}: leave the sample out and say why in a Problem"


def units(collected: Collection) -> Iterator[str]:
    """Every unit is empty or a word of Datadog's catalogue."""
    for each in _series(collected):
        if each.unit and each.unit not in UNITS:
            yield (
                f"{each.name}: {each.unit!r} is not in Datadog's unit catalogue: "
                "use one of runmetrics.units.UNITS, or none"
            )


def times(collected: Collection, now: datetime) -> Iterator[str]:
    """Every sample is of the instant that was given, in UTC."""
    for sample in collected.samples:
        if sample.time.utcoffset() != timedelta(0):
            yield f"{sample.name}: {sample.time!r} is not in UTC: use the `now` that is given"
        elif sample.time != now:
            yield f"{sample.name} is of {sample.time}, not of {now}: use the `now` that is given"


def tags(collected: Collection, collector: str) -> Iterator[str]:
    """Keys and values are strings that say something; the collector is among them."""
    for each in _series(collected):
        for key, value in each.tags.items():
            if not isinstance(key, str) or not isinstance(value, str):
                yield f"{each.name}: the tag {key!r}: {value!r} is not of strings: convert it"
            elif not key[:1].isalpha() or ":" in key or not value:
                yield (
                    f"{each.name}: the tag {key!r}: {value!r} would get lost: a key begins with "
                    "a letter and has no colon, a value is not empty"
                )
        if each.tags.get("collector") != collector:
            yield f"{each.name} does not say where it is from: tag it collector:{collector}"


def series(collected: Collection) -> Iterator[str]:
    """A metric with its tags comes once, and is known or unknown but not both."""
    counts = Counter((sample.name, frozenset(sample.tags.items())) for sample in collected.samples)
    for (name, pairs), count in counts.items():
        if count > 1:
            yield f"{name} comes {count} times with the same tags: tell them apart by a tag"
        for problem in collected.problems:
            if name in problem.metrics and problem.tags.items() <= dict(pairs).items():
                yield f"{name} is a sample and in a Problem: what is unknown has no value"


def reasons(collected: Collection) -> Iterator[str]:
    """What is missing or unknown has a reason, in one line, and an exit code that fits."""
    for missing in collected.missing:
        yield from _one_line(f"what is missing of {missing.name}", missing.why)
    for problem in collected.problems:
        yield from _one_line("a problem's cause", problem.cause)
        if problem.fix:
            yield from _one_line("a problem's fix", problem.fix)
        if problem.code not in _CODES:
            allowed = ", ".join(f"{code.name} ({code})" for code in _CODES)
            yield f"a problem's code is {problem.code!r}: it is one of {allowed}"


def of_error(error: RunmetricsError) -> Iterator[str]:
    """An error's text is one line too."""
    yield from _one_line("an error's cause", error.cause)


def secrets(collected: Collection, environ: Mapping[str, str]) -> Iterator[str]:
    """No text holds what looks like a key, nor the value of a variable that holds one."""
    redact = Redactor()
    for name, value in environ.items():
        if _SECRET_VARIABLE.fullmatch(name):
            redact.add(value)
    for text in _texts(collected):
        if redact(text) != text:
            yield f"a secret, or what looks like one, is in {redact(text)!r}: leave it out"


def same_names(first: Collection, second: Collection) -> Iterator[str]:
    """Both speak of the same metrics, known or not."""
    for name in sorted(set(_all_names(first)) ^ set(_all_names(second))):
        yield f"{name} came in one of two collections of the same instant: say why in a Problem"


def _series(collected: Collection) -> tuple[Sample | Missing, ...]:
    return (*collected.samples, *collected.missing)


def _all_names(collected: Collection) -> Iterator[str]:
    for each in _series(collected):
        yield each.name
    for problem in collected.problems:
        yield from problem.metrics


def _texts(collected: Collection) -> Iterator[str]:
    yield from collected.notices
    for problem in collected.problems:
        yield from (*problem.metrics, problem.cause, problem.fix)
        yield from (f"{key}:{value}" for key, value in problem.tags.items())
    for each in _series(collected):
        yield each.name
        yield from (f"{key}:{value}" for key, value in each.tags.items())
    for missing in collected.missing:
        yield missing.why
    for sample in collected.samples:
        run = sample.run or RunRef("", "")
        yield from (sample.description, sample.note, run.id, run.display_name, run.url)


def _one_line(what: str, text: str) -> Iterator[str]:
    if not text.strip() or len(text.splitlines()) > 1:
        yield f"{what} is {text!r}: say it in one line"


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
