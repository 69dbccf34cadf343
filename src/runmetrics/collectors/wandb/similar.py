"""Why a metric has no value: which keys do the runs log instead?"""

import difflib
import re
from collections.abc import Iterable, Mapping

from runmetrics.collectors.wandb.reading.document import SummaryAsk
from runmetrics.collectors.wandb.reading.project_client import Asker
from runmetrics.collectors.wandb.runs import Run, decode_object, number
from runmetrics.errors import RunmetricsError

_MOST_RUNS = 3
"""Whole summaries are read of no more runs: one may be hundreds of KB (fact 27)."""

_MOST_KEYS = 3


async def logged_keys(asker: Asker, runs: Iterable[Run]) -> set[str]:
    """Summary keys under which a few of these runs have numbers; empty if they cannot be read."""
    some = list({run.id: SummaryAsk(run.id) for run in runs}.values())[:_MOST_RUNS]
    try:
        asks = {f"k{index}": ask for index, ask in enumerate(some)}
        results = await asker.ask(asks) if asks else {}
    except RunmetricsError:
        return set()
    found: set[str] = set()
    for result in results.values():
        if isinstance(result, dict):
            found |= set(_paths(decode_object(result.get("summaryMetrics")) or {}))
    return found


def most_alike(key: str, others: Iterable[str]) -> list[str]:
    """Those of `others` that share a word with `key` or are spelt nearly like it."""
    words = _words(key)
    scored = []
    for other in others:
        if other == key:
            continue
        shared = bool(words & _words(other)) or key.lower() in other.lower()
        likeness = difflib.SequenceMatcher(None, key.lower(), other.lower()).ratio()
        if shared or likeness > 0.7:
            scored.append((-likeness, other))
    return [other for _, other in sorted(scored)][:_MOST_KEYS]


def _words(key: str) -> set[str]:
    return {word for word in re.split(r"[^a-z0-9]+", key.lower()) if len(word) > 2}


def _paths(summary: Mapping[str, object]) -> Iterable[str]:
    """Keys of numbers, and of numbers one level down: `accuracy.max` of {"accuracy": {"max": 1}}.

    Passed over are W&B's own keys and media (which have a _type).
    """
    for key, value in summary.items():
        if key.startswith("_") or not key.isprintable():
            continue
        if number(value) is not None:
            yield key
        elif isinstance(value, dict) and "_type" not in value:
            for inner, each in value.items():
                if inner.isprintable() and number(each) is not None:
                    yield f"{key}.{inner}"
