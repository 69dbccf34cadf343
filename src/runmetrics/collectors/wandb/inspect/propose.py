"""Propose a configuration to start from, made of what a project's runs log.

Keys are told by their words: which name an accuracy, which a loss, which a throughput.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from runmetrics.collectors.wandb.inspect.discover import Key, Sampled
from runmetrics.collectors.wandb.metrics.language import parse_name

_MOST_OF_A_KIND = 5
_ACCURACY = {"acc", "acc1", "acc@1", "top1"}
_RATES = {"throughput", "sps", "fps", "tps"}
_SECONDS = {"second", "sec", "s"}
_THINGS = {"sample", "token", "step", "example", "image", "frame", "iteration", "iter", "it"}
_THINGS |= {"batch", "batche", "episode", "sequence", "env"}
_HELD_OUT = {"test", "val", "valid", "validation", "eval", "evaluation", "dev"}
_TRAINING = {"train", "training"}
_STATISTICS = ("max", "best", "last", "mean", "min", "first", "std", "sum", "count")

Test = Callable[[Sequence[str]], bool]


def propose(found: Sequence[Sampled]) -> str:
    """Return YAML that `--config` takes as it is; comments say what each key was seen to hold."""
    keys = _joined(found)
    runs = sum(each.runs for each in found)
    accuracies = _chosen(keys, _is_accuracy, ("max", "best", "last", "mean"), _HELD_OUT)
    losses = _chosen(keys, _is_loss, ("last", "mean", "min", "best"), _TRAINING)
    rates = _chosen(keys, _is_rate, ("mean", "last", "max"), _TRAINING)
    lines = ["# A configuration to start from, made of what the newest runs log.", *_where(found)]
    lines += ["", *_setting("accuracy_key", "an accuracy", accuracies, runs)]
    lines += _setting("loss_key", "a loss", losses, runs)
    lines += _prices(found, runs)
    kinds = (
        ("best", "max", "Greatest", accuracies[1:]),
        ("least", "min", "Least", losses[1:]),
        ("mean", "mean", "Mean", rates),
    )
    lines += _metrics(kinds, runs)
    return "\n".join(lines) + "\n"


def _joined(found: Sequence[Sampled]) -> list[Key]:
    """Return the numeric summary keys of all projects."""
    joined: dict[str, Key] = {}
    for each in found:
        for name, key in each.keys.items():
            if key.numbers and name.startswith("summary.") and "{" not in name:
                into = joined.setdefault(name, Key(name))
                into.runs += key.runs
                into.numbers += key.numbers
                into.least = min(into.least, key.least)
                into.greatest = max(into.greatest, key.greatest)
    return list(joined.values())


def _where(found: Sequence[Sampled]) -> list[str]:
    if len(found) == 1:
        (one,) = found
        return [f"entity: {_quoted(one.entity)}", f"project: {_quoted(one.project)}"]
    names = [_quoted(f"{each.entity}/{each.project}") for each in found]
    return ["projects:", *(f"  - {name}" for name in names)]


def _setting(name: str, what: str, keys: Sequence[Key], runs: int) -> list[str]:
    if not keys:
        return [f"# {name}: no key looks like {what}"]
    return [f"{name}: {_quoted(_bare(keys[0]))}  # {_seen(keys[0], runs)}"]


def _prices(found: Sequence[Sampled], runs: int) -> list[str]:
    """Propose an entry for what the GPUs cost, as a comment: nobody here knows the prices."""
    types = sum((each.gpu_types for each in found), Counter[str]())
    if not types:
        return []
    entry = ", ".join(f"{_quoted(name)}: PRICE" for name, _ in types.most_common())
    seen = "; ".join(f"{name} in {count} of {runs} runs" for name, count in types.most_common())
    return [
        f"# GPUs: {' '.join(seen.split())}. To see what they cost, write your own dollars per GPU",
        "# hour (a part of the name is enough), and add the pack cost:",
        f"# gpu_prices: {{{entry}}}",
    ]


def _metrics(kinds: Iterable[tuple[str, str, str, Sequence[Key]]], runs: int) -> list[str]:
    """Propose a metric over each of the first few keys of a kind; of equal names the first."""
    entries: dict[str, list[str]] = {}
    for prefix, aggregate, word, keys in kinds:
        for key in keys[:_MOST_OF_A_KIND]:
            slug = re.sub(r"[^a-z0-9]+", "_", _bare(key).lower()).strip("_")
            if not slug:
                continue
            name = parse_name(f"wandb.summary.{prefix}_{slug[:80]}".strip("_"))
            description = f"{word} {_bare(key)} of the runs of the last 7 days"
            entry = [
                f"  - name: {name}",
                f"    description: {_quoted(description)}",
                f"    {aggregate}: {_quoted(key.name)}  # {_seen(key, runs)}",
                "    window: 7d",
            ]
            entries.setdefault(name, entry)
    if not entries:
        return []
    remark = "# One window for all: these cost no request more than the built-in metrics."
    return ["", remark, "metrics:", *itertools.chain.from_iterable(entries.values())]


def _quoted(text: str) -> str:
    """Quote for YAML, whatever the text holds: as JSON, but with every character as itself."""
    return json.dumps(text, ensure_ascii=False)


def _seen(key: Key, runs: int) -> str:
    return f"in {key.numbers} of {runs} runs, {key.least:g} to {key.greatest:g}"


def _bare(key: Key) -> str:
    return key.name.removeprefix("summary.")


def _words(key: str) -> list[str]:
    """Return the words of a key: "val/topAccuracy" is val, top, accuracy."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)
    return [word for word in re.split(r"[^a-z0-9@]+", spaced.lower()) if word]


def _parent(key: Key) -> str:
    parent, _, leaf = key.name.rpartition(".")
    return parent if leaf in _STATISTICS else key.name


def _is_accuracy(words: Sequence[str]) -> bool:
    return any(word in _ACCURACY or word.endswith("accuracy") for word in words)


def _is_loss(words: Sequence[str]) -> bool:
    return any(word == "nll" or word.endswith("loss") for word in words)


def _is_rate(words: Sequence[str]) -> bool:
    of_things = any(word.removesuffix("s") in _THINGS for word in words)
    return not _RATES.isdisjoint(words) or (of_things and not _SECONDS.isdisjoint(words))


def _chosen(
    keys: Iterable[Key], is_like: Test, statistics: Sequence[str], phase: set[str]
) -> list[Key]:
    """Return the keys that are alike, the likeliest first.

    Of an object of statistics (`accuracy.max`, `accuracy.min`) one is taken, the first of
    `statistics` that is there. Keys that many runs have come before others, then those of the
    plain name, then those of the phase of a training.
    """
    alike = [key for key in keys if is_like(_words(_bare(key)))]
    named = {key.name: key for key in alike}
    parents = dict.fromkeys(_parent(key) for key in alike)
    best = (
        [name for name in (parent, *(f"{parent}.{word}" for word in statistics)) if name in named]
        for parent in parents
    )
    found = [named[names[0]] for names in best if names]
    most = max((key.numbers for key in found), default=0)

    def likelihood(key: Key) -> tuple[bool, bool, bool, int, int, str]:
        words = [word for word in _words(_bare(key)) if word not in _STATISTICS]
        rare, in_phase = key.numbers * 2 < most, not phase.isdisjoint(words)
        return rare, len(words) > 1, not in_phase, -key.numbers, len(words), key.name

    return sorted(found, key=likelihood)
