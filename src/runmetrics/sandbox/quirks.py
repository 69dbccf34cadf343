"""Ways in which the W&B backend is not what a reader hopes, each switched on by itself.

The default is the server at its best. A test switches on one quirk and shows that no number gets
wrong by it.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from runmetrics.sandbox.store import Store

ALWAYS = -1


@dataclass(frozen=True, slots=True)
class Quirks:
    """What the server does differently from the backend at its best.

    `orders_ignored`: order names (without sign, as "summary_metrics.accuracy"; "*" is all) that
    give the runs unsorted, as they were stored.
    `strings_above_numbers`: strings and NaN rank above every number and match $gt and $gte.
    `booleans_as_numbers`: true is 1 and false is 0, in orders and filters.
    `missing_first`: runs without the value come first in either direction.
    `slashed_keys_not_filterable`: a filter on a summary or config key that holds "/" or "."
    matches nothing, an order by it is ignored.
    `dotted_keys_are_paths`: a filter or an order by "a.b" finds {"a": {"b": 1}} and not {"a.b": 1}.
    `bounds`: what comes of a condition with a lower and an upper bound: "refused" (400), or "none"
    (nothing matches).
    `filters_ignored`: every filter matches every run.
    `keys_without_case`: summary and config keys match whatever their case, in filters and orders;
    what `summaryMetrics(keys:)` gives back stays exact.
    `counts_lag_seconds`: runCount leaves out runs created or heard of in the last N seconds.
    `counts_from`: runCount answers from this store (`store.copy()`: a snapshot).
    `empty_pages`: that many pages of runs (or ALWAYS) come empty, with a next one and a cursor
    that did not move; `hidden_rows`: run ids that count, and take their place on a page, but are
    not shown: their row is missing, or null with `hidden_as`.
    `shown_summaries`, `shown_configs`: run id to the text that is shown in place of its summary, or
    config, by which it is filtered and ordered all the same.
    `counts_say`: what every runCount answers. `edges_null`: pages have null in place of rows.
    `repeated_cursor`: "same" never advances after the second page, "cycle" goes A, B, A, B;
    both promise a next page for ever.
    `unknown_fields`: fields ("runInfo") and arguments ("summaryMetrics(keys)") that this older
    server does not have.
    `unreadable`: (run id, field) that the server fails on; the field "node" is the run itself.
    `unreadable_answer`: what the failure looks like: "500" for the whole document, or "errors"
    with null in that place. `error_path`: the place that such errors name instead.
    `viewer_fails`: an error beside data says that the viewer could not be read.
    """

    orders_ignored: Set[str] = frozenset()
    strings_above_numbers: bool = False
    booleans_as_numbers: bool = False
    missing_first: bool = False
    slashed_keys_not_filterable: bool = False
    dotted_keys_are_paths: bool = False
    bounds: Literal["", "refused", "none"] = ""
    filters_ignored: bool = False
    keys_without_case: bool = False
    counts_lag_seconds: float = 0.0
    counts_from: Store | None = None
    empty_pages: int = 0
    hidden_rows: Set[str] = frozenset()
    hidden_as: Literal["missing", "null"] = "missing"
    shown_summaries: Mapping[str, str | None] = field(default_factory=dict)
    shown_configs: Mapping[str, str | None] = field(default_factory=dict)
    counts_say: int | None = None
    edges_null: bool = False
    repeated_cursor: Literal["", "same", "cycle"] = ""
    unknown_fields: Set[str] = frozenset()
    unreadable: Set[tuple[str, str]] = frozenset()
    unreadable_answer: Literal["500", "errors"] = "500"
    error_path: tuple[str, ...] | None = None
    viewer_fails: bool = False
