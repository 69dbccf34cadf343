"""A set of run ids in a few bytes each is a set."""

from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.ids import Ids

NAMES = st.lists(st.text(max_size=3), max_size=200)


@given(NAMES, st.text(max_size=3))
def test_an_id_is_new_once_and_counts_once(names: list[str], other: str) -> None:
    ids, known = Ids(), set[str]()
    for name in names:
        assert ids.add(name) == (name not in known)
        known.add(name)

    assert len(ids) == len(known)
    assert (other in ids) == (other in known)


@given(NAMES, NAMES)
def test_a_set_takes_in_another(names: list[str], others: list[str]) -> None:
    ids, more = Ids(), Ids()
    for name in names:
        ids.add(name)
    for name in others:
        more.add(name)
    ids.update(more)

    assert len(ids) == len({*names, *others})
    assert all(name in ids for name in (*names, *others))
