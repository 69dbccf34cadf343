"""Names, base units and labels by the Prometheus conventions, as one rule for any metric.

prometheus.io/docs/practices/naming says what is right; `promtool check metrics` (client_golang,
promlint.go) says what is wrong, and nothing made here is wrong to it:

1. Words are lower case, joined by `_`: `wandb.runs.failed_7d` is `wandb_runs_failed_7d`.
2. A unit that has a base unit is converted to it, and the name says so: the word for the unit
   becomes the base unit, or the base unit is put at the end. `avg_duration_hours` in hours is
   `avg_duration_seconds`, times 3600; `gpu_utilization_avg` in percent is
   `gpu_utilization_avg_ratio`, divided by 100. Other units (runs, dollars) stay.
3. An ending that is kept for counters, histograms and summaries is left out: the gauge
   `wandb.runs.total` is `wandb_runs`.
4. Any other word that is refused (a type, an abbreviated unit, a unit that is no base unit) is
   joined to the word before it: `wandb.summary.loss` is `wandbsummary_loss`. At the beginning,
   and before a digit there, that word is `metric`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

_SECONDS = {
    "nanosecond": Fraction(1, 10**9),
    "microsecond": Fraction(1, 10**6),
    "millisecond": Fraction(1, 1000),
    "second": Fraction(1),
    "minute": Fraction(60),
    "hour": Fraction(3600),
    "day": Fraction(86_400),
    "week": Fraction(604_800),
}
_BYTES = {
    "bit": Fraction(1, 8),
    "byte": Fraction(1),
    "kibibyte": Fraction(2**10),
    "mebibyte": Fraction(2**20),
    "gibibyte": Fraction(2**30),
    "tebibyte": Fraction(2**40),
}
_RATIO = {"percent": Fraction(1, 100), "fraction": Fraction(1)}
_BASES = {"seconds": _SECONDS, "bytes": _BYTES, "ratio": _RATIO}
_OTHER_WORDS = {
    "nanosecond": ("ns",),
    "microsecond": ("us",),
    "millisecond": ("ms",),
    "second": ("s", "sec"),
    "minute": ("m", "min"),
    "hour": ("h",),
    "day": ("d",),
    "byte": ("b",),
    "percent": ("percentage", "pct"),
}

_ENDINGS = ("total", "count", "sum", "bucket")
_TYPES = ("counter", "gauge", "histogram", "summary")
_ABBREVIATIONS = ("s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d")
_SCALE = (
    "(pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi"
    "|peta|pebi)"
)
_REFUSED_UNIT = re.compile(
    f"{_SCALE}(amperes|bytes|celsius|grams|joules|kelvin|meters|metres|seconds|volts)"
    f"|{_SCALE}?(minutes|hours|days|weeks|kelvins|fahrenheit|rankine|inches|yards|miles|bits"
    "|calories|pounds|ounces)"
)
_HISTOGRAM_LABELS = ("le", "quantile")

_CASE_CHANGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_IN_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A family's name, and what its values are multiplied by to be in `base` ("": unchanged)."""

    text: str
    base: str = ""
    factor: Fraction = Fraction(1)

    def value(self, value: float) -> float:
        """Return `value` in the base unit, rounded once where the factor divides; may overflow."""
        return float(value) * self.factor.numerator / self.factor.denominator + 0.0


def family_name(name: str, unit: str) -> Name:
    """Return what the metric `name` in `unit` is called; `text` is empty when nothing can stay."""
    words = _words(name)
    if not words:
        return Name("")
    base = next((base for base, units in _BASES.items() if unit in units), "")
    if base:
        own = {unit, f"{unit}s", *_OTHER_WORDS.get(unit, ())}
        words = [_in_base(word, before, own, base) for before, word in pairwise(["", *words])]
    words = _joined(words)
    while len(words) > 1 and words[-1] in _ENDINGS:
        words.pop()
    if base and base not in words:
        words.append(base)
    return Name("_".join(words), base, _BASES[base][unit] if base else Fraction(1))


def label_name(key: str) -> str:
    """Return what the tag `key` is called as a label; empty when nothing of it can stay."""
    words = _words(key)
    text = "_".join(words)
    if text in _HISTOGRAM_LABELS or text[:1].isdigit():
        return f"tag_{text}"
    return text


def _words(text: str) -> list[str]:
    text = _CASE_CHANGE.sub("_", text).lower()
    return [word for word in _NOT_IN_WORDS.split(text) if word]


def _in_base(word: str, before: str, own: set[str], base: str) -> str:
    """Return the base unit for the metric's unit; "24 hours" in a name is a span, no unit."""
    return base if word in own and not before.isdigit() else word


def _joined(words: list[str]) -> list[str]:
    joined = ["metric"] if words[0][0].isdigit() else []
    for word in words:
        joined.append(word)
        while _is_refused(joined[-1]):
            refused = joined.pop()
            joined = joined or ["metric"]
            joined[-1] += refused
    return joined


def _is_refused(word: str) -> bool:
    return word in _TYPES or word in _ABBREVIATIONS or _REFUSED_UNIT.fullmatch(word) is not None
