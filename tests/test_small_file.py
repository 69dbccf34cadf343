"""Files that are read whole: their bound, and what a Windows editor leaves in them."""

from pathlib import Path

import pytest

from runmetrics.config.env_file import read_env_file
from runmetrics.small_file import read_text


def test_a_file_of_as_many_bytes_as_may_be_is_read_and_one_more_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"abcd")

    assert read_text(file, 4) == "abcd"
    with pytest.raises(OSError, match="it holds more than 3 bytes"):
        read_text(file, 3)


def test_a_byte_order_mark_and_line_ends_of_windows_are_read_as_none(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")

    assert read_text(file) == "a\nb\n"


def test_an_env_file_that_never_ends_is_a_fault_and_sets_nothing() -> None:
    reason = "it holds more than 4,194,304 bytes"

    assert read_env_file(Path("/dev/zero")) == (
        *({}, [f"/dev/zero: cannot be read ({reason}): fix or remove it"]),
    )
