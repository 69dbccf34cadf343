"""Cuts what a first page left of a scan into slices of creation time, to be read side by side.

Creation times never change, so a slice holds the same runs whenever it is read. Where to cut is
known from counts at a few times; between them runs are taken to be spread evenly.
"""

import itertools
import math
from collections.abc import Iterable
from datetime import datetime

from runmetrics.collectors.wandb.reading.filters import Filter, created_between

FILL = 0.9
"""The share of a page that a slice is planned to fill: the counts hide how runs are spread."""


def cut(
    start: datetime, now: datetime, left: int, page: int, counted: Iterable[tuple[datetime, int]]
) -> list[Filter]:
    """Return filters of slices that hold the `left` runs from `start` on, each to fit on a page.

    `counted` is how many of the runs were created at some times, or later. The last slice has no
    end, for the runs that are created meanwhile.
    """
    points = [(start, left)]
    for time, count in counted:
        if time > start and count < points[-1][1]:
            points.append((time, count))
    points.append((max(now, points[-1][0]), 0))
    pieces = math.ceil(left / (page * FILL))
    targets = [left * (pieces - piece) / pieces for piece in range(1, pieces)]
    cuts = [start, *(_when(points, target) for target in targets)]
    return [
        created_between(begin, end) for begin, end in itertools.pairwise([*cuts, None]) if begin
    ]


def _when(points: list[tuple[datetime, int]], target: float) -> datetime:
    """Return the creation time after which about `target` runs come, linear between counts."""
    for (begin, more), (end, fewer) in itertools.pairwise(points):
        if fewer <= target <= more:
            share = (more - target) / (more - fewer) if more > fewer else 0.0
            return begin + (end - begin) * share
    return points[-1][0]
