"""The spool as one run leaves it to the next: what it keeps, what it lets go, and its limits."""

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.model import RunRef, Sample
from runmetrics.spool import MOST_BYTES, Spool
from runmetrics.spool_rows import as_row
from tests.spool_case import NOON, sample


def spool(directory: Path, *, most_bytes: int = MOST_BYTES) -> Spool:
    return Spool(directory, most_bytes=most_bytes, clock=NOON.timestamp)


def test_what_one_run_keeps_the_next_one_finds_in_the_same_order(tmp_path: Path) -> None:
    with spool(tmp_path) as first:
        assert first.keep("datadog", [sample(1), sample(2)])
        assert first.keep("datadog", [sample(3)])

    with spool(tmp_path) as second:
        assert second.pending("datadog") == [sample(1), sample(2), sample(3)]
        assert second.notices == []


def test_each_sink_has_a_backlog_of_its_own(tmp_path: Path) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", [sample(1), sample(2)])
        kept.keep("otlp", [sample(1)])

        kept.forget("datadog", [sample(1)])

        assert kept.pending("datadog") == [sample(2)]
        assert kept.pending("otlp") == [sample(1)]
        assert kept.pending("prometheus") == []


def test_equal_samples_are_kept_and_forgotten_one_by_one(tmp_path: Path) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", [sample(1), sample(1), sample(1)])

        kept.forget("datadog", [sample(1), sample(1)])

        assert kept.pending("datadog") == [sample(1)]


def test_forgetting_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", [sample(1)])

        kept.forget("datadog", [sample(2)])

        assert kept.pending("datadog") == [sample(1)]


def test_a_sample_expires_at_the_age_that_its_sink_names_and_no_earlier(tmp_path: Path) -> None:
    at_the_age, a_second_younger = sample(1, minutes_ago=55), sample(2, minutes_ago=55 - 1 / 60)
    with spool(tmp_path) as kept:
        kept.keep("datadog", [at_the_age, a_second_younger])
        kept.keep("otlp", [at_the_age])

        drops = kept.expire("datadog", 55 * 60)

        assert [(drop.sample, drop.reason) for drop in drops] == [(at_the_age, "expired")]
        assert kept.pending("datadog") == [a_second_younger]
        assert kept.pending("otlp") == [at_the_age]


def test_in_a_full_spool_the_oldest_of_the_same_sink_make_room(tmp_path: Path) -> None:
    three = sum(len(as_row(sample(number))) for number in (1, 2, 3))
    with spool(tmp_path, most_bytes=three) as kept:
        kept.keep("otlp", [sample(9)])
        kept.keep("datadog", [sample(1), sample(2), sample(3)])
        assert kept.pending("datadog") == [sample(1), sample(2), sample(3)]

        kept.keep("datadog", [sample(4)])

        assert kept.pending("datadog") == [sample(2), sample(3), sample(4)]
        assert kept.pending("otlp") == [sample(9)]


def test_the_file_does_not_outgrow_its_bound_however_often_it_is_filled(tmp_path: Path) -> None:
    with spool(tmp_path, most_bytes=50_000) as kept:
        for start in range(0, 3000, 100):
            kept.keep("datadog", [sample(number) for number in range(start, start + 100)])

    assert (tmp_path / "spool.db").stat().st_size < 100_000


ANY_SAMPLE = st.builds(
    Sample,
    name=st.text(),
    value=st.one_of(st.floats(allow_nan=False), st.integers()),
    time=st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
    ),
    unit=st.text(),
    tags=st.dictionaries(st.text(), st.text()),
    description=st.text(),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@settings(max_examples=50)
@given(samples=st.lists(ANY_SAMPLE, max_size=5))
def test_a_sample_comes_back_exactly_as_it_was(shared: Path, samples: list[Sample]) -> None:
    with spool(shared) as kept:
        kept.keep("datadog", samples)
    with spool(shared) as kept:
        back = kept.pending("datadog")
        kept.forget("datadog", samples)

        assert back == samples
        assert list(map(repr, map(_value, back))) == list(map(repr, map(_value, samples)))
        assert kept.pending("datadog") == []


def _value(sample: Sample) -> float:
    return sample.value


def test_what_is_never_sent_is_not_kept(tmp_path: Path) -> None:
    best = Sample("wandb.m", 1.0, NOON, runs=3, run=RunRef("r1", "best"), note="so")
    with spool(tmp_path) as kept:
        kept.keep("datadog", [best])

        assert kept.pending("datadog") == [Sample("wandb.m", 1.0, NOON)]

        kept.forget("datadog", [best])

        assert kept.pending("datadog") == []


def test_only_its_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with spool(tmp_path / "new") as kept:
            kept.keep("datadog", [sample(1)])
            assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
            assert (tmp_path / "new/spool.db").stat().st_mode & 0o777 == 0o600
        (tmp_path / "new/spool.db").chmod(0o644)
        spool(tmp_path / "new").close()
    finally:
        os.umask(before)

    assert (tmp_path / "new/spool.db").stat().st_mode & 0o777 == 0o600


def test_what_is_kept_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EXTRA (3): the journal's removal is synced too (sqlite.org/pragma.html)."""
    opened: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def noted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(real(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", noted)
    with spool(tmp_path):
        (connection,) = opened
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_what_is_over_the_bound_is_never_read_and_said(tmp_path: Path) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", [sample(number) for number in range(10)])
        kept.keep("otlp", [sample(1)])
    room_for_two = len(as_row(sample(8))) * 2

    with spool(tmp_path, most_bytes=room_for_two) as smaller:
        (notice,) = smaller.notices
        assert notice == (
            f"the spool {tmp_path} held more for datadog than it may: "
            "the oldest 8 samples were lost"
        )
        assert smaller.pending("datadog") == [sample(8), sample(9)]
        assert smaller.pending("otlp") == [sample(1)]


def test_without_a_directory_nothing_is_kept_and_nothing_is_said() -> None:
    with Spool(None) as none:
        assert not none.keep("datadog", [sample(1)])
        none.forget("datadog", [sample(1)])

        assert none.pending("datadog") == []
        assert none.expire("datadog", 0) == []
        assert none.notices == []


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    with spool(tmp_path / "new") as kept:
        assert kept.keep("datadog", [sample(1)])

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_h5_an_overlapping_run_goes_on_without_the_spool(tmp_path: Path) -> None:
    with spool(tmp_path) as first:
        first.keep("datadog", [sample(1)])
        with spool(tmp_path) as second:
            assert not second.keep("datadog", [sample(2)])
            assert second.pending("datadog") == []
            (notice,) = second.notices
            assert notice == (
                f"another run holds the spool {tmp_path}, this one goes on without it: "
                "let runs that overlap have a spool each, or keep them from overlapping"
            )
        assert first.pending("datadog") == [sample(1)]
    with spool(tmp_path) as third:
        assert third.pending("datadog") == [sample(1)]


HOLDER = """
import sys, time
from pathlib import Path
from typing import Any
from runmetrics.spool import Spool
holder = Spool(Path(sys.argv[1]))
print(holder.notices, flush=True)
time.sleep(60)
"""


def test_h5_the_lock_of_another_process_ends_with_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        try:
            assert holder.stdout.readline() == "[]\n"
            with spool(tmp_path) as second:
                assert len(second.notices) == 1
                assert not second.keep("datadog", [sample(1)])
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    with spool(tmp_path) as third:
        assert third.keep("datadog", [sample(1)])
        assert third.notices == []
