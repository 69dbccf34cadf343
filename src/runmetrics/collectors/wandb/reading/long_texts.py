"""Cuts what runs log as long texts, so that a page of them fits into little memory.

A metric is a number, a condition or a group is a short text: nobody asks for the 60 KB that a
sample of a model's output may have.
"""

import json
from typing import Any

from runmetrics.collectors.wandb.values import decode_object

_LONG_JSON = 4_096
_LONGEST_TEXT = 1_000
_PARTS = ("summaryMetrics", "config")


def shortened(node: dict[str, Any]) -> dict[str, Any]:
    """Return a run's node with texts of 1,000 characters at most in its summary and config.

    JSON that cannot be read stays such, but cut.
    """
    for part in _PARTS:
        text = node.get(part)
        if isinstance(text, str) and len(text) > _LONG_JSON:
            node[part] = _shortened(text)
    return node


def _shortened(text: str) -> str:
    found = decode_object(text)
    if found is None:
        return text[:_LONG_JSON]
    try:
        return json.dumps(_cut(found))
    except RecursionError:
        return text


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, dict):
        return {key: _cut(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_cut(each) for each in value]
    return value
