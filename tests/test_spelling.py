"""What a message says of a word that is not known."""

from runmetrics.spelling import choose


def test_where_there_is_nothing_to_choose_from_that_is_said() -> None:
    assert choose("x", ()) == "there is none to choose"
    assert choose("x", (), more=("config.KEY",)) == "it can be config.KEY"
