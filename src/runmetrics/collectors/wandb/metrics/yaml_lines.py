"""YAML as plain values that remember their lines.

`yaml.safe_load` forgets where a value stood and lets the later of two equal keys win in silence;
both matter in a file that people write by hand. Only the values that JSON has come out of here
(and NaN and the infinities, which YAML can write): dates stay text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Place = tuple[str | int, ...]

_MOST_NODES: Final = 50_000  # an alias can unfold a page of YAML into more than memory holds
_TOO_MUCH: Final = f"it unfolds to more than {_MOST_NODES} values"
_PLAIN: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {f"{_PLAIN}{kind}" for kind in ("str", "int", "float", "bool", "null")}


class YamlFault(Exception):  # noqa: N818 - a fault of the file, not an error of ours
    """What is wrong with the YAML itself, and on which line (counted from 1)."""

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        self.text = text
        super().__init__(f"line {line}: {text}")


@dataclass(slots=True)
class Document:
    """A file's value, the line of every place in it, and the first line of keys given twice."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    doubles: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML has it, without dates, and with a bound on what `<<` merges."""

    merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge `<<: *other` into a mapping; of equal keys only the last, which wins, is kept.

        PyYAML keeps them all, so that each level of merges multiplies them.
        """
        super().flatten_mapping(node)
        pairs = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlFault(key.start_mark.line + 1, "a key has to be a word")
            pairs[key.value] = (key, child)
        node.value = list(pairs.values())
        self.merged += len(pairs)
        if self.merged > _MOST_NODES:
            raise YamlFault(node.start_mark.line + 1, _TOO_MUCH)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_PLAIN}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str) -> Document:
    """Read one YAML document; raise YamlFault where it is none, or unfolds to too much."""
    document = Document()
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            document.value = _value(loader, node, (), document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlFault(mark.line + 1 if mark else 1, said) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlFault(line, f"the character U+{error.character:04X} is not allowed") from None
    except (ValueError, OverflowError):  # an escape like "\\UFFFFFFFF"
        raise YamlFault(1, "it holds an escape for a character that there is not") from None
    except RecursionError:
        raise YamlFault(1, "it is nested too deeply, or refers to itself") from None
    return document


def _value(loader: _Loader, node: yaml.Node, place: Place, document: Document) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(place, line)
    if len(document.lines) > _MOST_NODES:
        raise YamlFault(line, _TOO_MUCH)
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_PLAIN}map":
        return _mapping(loader, node, place, document)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_PLAIN}seq":
        return [
            _value(loader, item, (*place, index), document) for index, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
        return _scalar(loader, node)
    raise YamlFault(line, f"the tag {node.tag!r} is not known here")


def _mapping(
    loader: _Loader, node: yaml.MappingNode, place: Place, document: Document
) -> Mapping[str, Any]:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise YamlFault(line, "a key has to be a word")
        if first := seen.get(key.value):
            document.doubles[(*place, key.value)] = first
        seen.setdefault(key.value, line)
        _speakable(key)
    loader.flatten_mapping(node)  # "<<: *other": own keys come last, and win
    value = {}
    for key, child in node.value:
        name = key.value
        document.lines[(*place, name)] = key.start_mark.line + 1
        value[name] = _value(loader, child, (*place, name), document)
    return value


def _speakable(node: yaml.ScalarNode) -> None:
    """Refuse half a surrogate pair, which an escape can write and no output can carry."""
    try:
        node.value.encode()
    except UnicodeEncodeError:
        raise YamlFault(node.start_mark.line + 1, "a text holds half a character") from None


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    line = node.start_mark.line + 1
    _speakable(node)
    try:
        value = loader.construct_object(node)
    except (ValueError, LookupError):
        raise YamlFault(line, f"{node.value!r} cannot be read") from None
    if isinstance(value, int) and abs(value) >= 2**63:
        raise YamlFault(line, "the number is too large")
    return value
