"""What a card on the page can be about: a value, a metric without data, one that is unknown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runmetrics.model import PROJECT_TAGS, Missing, project_of
from runmetrics.serve.snapshot import Snapshot, Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """A metric that was never learned, in one project."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


Entry = Value | Missing | Unknown


def entries(snapshot: Snapshot) -> Iterator[Entry]:
    """Yield all that there is to show."""
    collection = snapshot.outcome.collection
    yield from snapshot.values
    yield from collection.missing
    known = {(value.sample.name, project_of(value.sample.tags)) for value in snapshot.values}
    for problem in collection.problems:
        for name in problem.metrics:
            if (name, project_of(problem.tags)) not in known:
                yield Unknown(name, problem.tags)


def name_of(entry: Entry) -> str:
    """Return the metric's name."""
    return entry.sample.name if isinstance(entry, Value) else entry.name


def tags_of(entry: Entry) -> Mapping[str, str]:
    """Return all tags of the series."""
    return entry.sample.tags if isinstance(entry, Value) else entry.tags


def own_tags(entry: Entry) -> dict[str, str]:
    """Return the tags that tell this series from others of its project, by name."""
    tags = sorted(tags_of(entry).items())
    return {key: text for key, text in tags if key not in PROJECT_TAGS}
