"""How samples become Prometheus families, and what becomes of those that cannot."""

from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from runmetrics.model import Sample
from runmetrics.sinks.prometheus.families import families_of, text
from tests.sinks.prometheus.prometheus_case import NOW, sample, ten
from tests.sinks.prometheus.promtool import complaints


def rendered(*samples: Sample) -> str:
    return text(families_of(samples).families).decode()


def test_a_sample_is_a_gauge_with_help_and_labels_and_without_a_time() -> None:
    found = rendered(
        sample("wandb.runs.active", 4, description="Runs now", tags={"b": "2", "a": "1"})
    )

    assert found == (
        "# HELP wandb_runs_active Runs now\n"
        "# TYPE wandb_runs_active gauge\n"
        'wandb_runs_active{a="1",b="2"} 4.0\n'
    )


def test_a_converted_value_says_its_unit_in_the_help() -> None:
    assert rendered(sample("a.gpu_hours", 2.5, unit="hour", description="GPU hours")) == (
        "# HELP a_gpu_seconds GPU hours; in seconds\n"
        "# TYPE a_gpu_seconds gauge\n"
        "a_gpu_seconds 9000.0\n"
    )
    assert "# HELP a_cpu_ratio CPU; as a ratio\n" in rendered(
        sample("a.cpu", 50, unit="percent", description="CPU")
    )


def test_a_sample_without_a_description_is_explained_by_its_own_name() -> None:
    assert rendered(sample("a.runs.total")).startswith("# HELP a_runs a.runs.total\n")


def test_series_of_one_metric_are_one_family() -> None:
    found = rendered(
        sample("a.x", 1, tags={"user": "ann"}),
        sample("a.y", 2),
        sample("a.x", 3, tags={"user": "bob"}),
    )

    assert found.count("# TYPE a_x gauge") == 1
    assert 'a_x{user="ann"} 1.0\na_x{user="bob"} 3.0\n' in found


def test_two_metrics_with_one_name_are_told_apart_by_dropping_the_second() -> None:
    first, second = sample("wandb.runs.total", 7), sample("wandb.runs", 8)

    found = families_of([first, second])

    assert found.samples == (first,)
    assert [(drop.sample, drop.reason) for drop in found.drops] == [(second, "collapsed")]
    assert found.notices == (
        "1 sample was not shown (collapsed): wandb.runs (wandb_runs is wandb.runs.total already)",
    )


def test_one_name_in_two_units_is_never_one_family() -> None:
    hours, minutes = sample("a.age", 1, unit="hour"), sample("a.age", 1, unit="minute")

    found = families_of([hours, minutes])

    assert found.samples == (hours,)
    assert [drop.reason for drop in found.drops] == ["collapsed"]


def test_two_tags_that_are_one_label_are_joined_and_said() -> None:
    found = families_of([sample("a.x", tags={"gpu.type": "h100", "gpu-type": "a100"})])

    assert 'a_x{gpu_type="a100;h100"} 4.0' in text(found.families).decode()
    assert found.notices == ("tags 'gpu-type', 'gpu.type' are one label, gpu_type",)


def test_two_series_with_the_same_labels_are_told_apart_by_dropping_the_second() -> None:
    first = sample("a.x", 1, tags={"gpu-type": "a"})
    second = sample("a.x", 2, tags={"gpu.type": "a"})

    found = families_of([first, second])

    assert found.samples == (first,)
    (notice,) = found.notices
    assert notice == (
        "1 sample was not shown (collapsed): a.x {gpu.type:a}"
        " (its labels are those of another series)"
    )


def test_a_tag_of_which_nothing_can_stay_is_left_out_and_said() -> None:
    found = families_of([sample("a.x", tags={"🚀": "x", "empty": ""})])

    assert text(found.families).endswith(b"\na_x 4.0\n")
    assert found.notices == ("left out, as nothing of its name can stay: tag '🚀'",)


def test_of_two_points_of_a_series_the_newest_is_shown_whatever_their_order() -> None:
    older, newer = sample("a.x", 1, time=NOW - timedelta(minutes=5)), sample("a.x", 2)

    for order in ([older, newer], [newer, older]):
        found = families_of(order)
        assert found.samples == (newer,)
        assert [(drop.sample, drop.reason) for drop in found.drops] == [(older, "duplicate")]
        assert found.notices == ()


def test_values_that_are_not_finite_in_the_base_unit_and_names_of_nothing_are_dropped() -> None:
    nan, huge = sample("a.nan", float("nan")), sample("a.huge", 1e308, unit="hour")
    great, nameless = sample("a.great", 10**400), sample("🚀")

    found = families_of([nan, huge, great, nameless])

    assert found.families == ()
    assert [drop.reason for drop in found.drops] == [*["not_finite"] * 3, "bad_name"]
    assert found.notices == (
        "3 samples were not shown (not_finite): a.nan, a.huge, a.great",
        "1 sample was not shown (bad_name): 🚀",
    )


def test_promtool_finds_nothing_wrong_with_the_ten(promtool: Path) -> None:
    found = families_of(ten())

    assert complaints(promtool, text(found.families)) == []
    assert len(found.families) == 10


def test_promtool_finds_nothing_wrong_with_odd_words(promtool: Path) -> None:
    odd = 'emoji 🚀, "quotes"\nlines \\ pipes | \ud800' + "x" * 5000
    found = families_of([sample("a.x", description=odd, tags={odd: odd, "le": "1"})])

    assert complaints(promtool, text(found.families)) == []


@given(
    st.lists(
        st.builds(
            lambda name, value, unit, tags: sample(name, value, unit=unit, tags=tags),
            st.text(max_size=8),
            st.floats(),
            st.sampled_from(["", "run", "hour", "percent"]),
            st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
        ),
        max_size=8,
    )
)
def test_every_sample_is_shown_or_dropped_and_the_text_reads_back(samples: list[Sample]) -> None:
    found = families_of(samples)

    ends = [*found.samples, *(drop.sample for drop in found.drops)]
    assert sorted(map(id, ends)) == sorted(map(id, samples))
    read = text_string_to_metric_families(text(found.families).decode())
    assert {
        (line.name, tuple(sorted(line.labels.items()))): line.value
        for family in read
        for line in family.samples
    } == {
        (family.name, labels): point.value
        for family in found.families
        for labels, point in family.points.items()
    }
