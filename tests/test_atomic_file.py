"""A file is replaced whole: links stay, and what is no regular file is written into."""

import errno
import os
import stat
from pathlib import Path

import pytest

from runmetrics.atomic_file import replace_file
from tests.sinks.prometheus.prometheus_case import disk_that_fails


def test_a_link_stays_and_the_file_that_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to("elsewhere/file")
    before = file.stat().st_ino

    replace_file(link, b"new", mode=0o640)

    assert (link.readlink(), file.read_text()) == (Path("elsewhere/file"), "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.stat().st_ino != before  # a reader of the old one sees it whole
    assert [*file.parent.iterdir()] == [file]


def test_a_link_to_nothing_yet_makes_the_file_that_it_names(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("file")

    replace_file(link, b"new", mode=0o644)

    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        replace_file(link, b"new", mode=0o644)

    assert link.is_symlink()


@pytest.mark.parametrize("by_link", [False, True])
def test_a_fifo_is_written_into_and_stays(tmp_path: Path, *, by_link: bool) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    replace_file(link if by_link else fifo, b"new", mode=0o644)

    assert os.read(reader, 100) == b"new"
    os.close(reader)
    assert (fifo.is_fifo(), link.is_symlink()) == (True, True)


def test_a_fifo_that_nobody_reads_is_an_error_and_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what tells
        replace_file(fifo, b"new", mode=0o644)

    assert (caught.value.errno, fifo.is_fifo()) == (errno.ENXIO, True)


def test_a_device_that_takes_no_more_is_an_error_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "device"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(OSError, match="No space left on device"):
        replace_file(fifo, b"new", mode=0o644, calls=disk_that_fails("write"))

    os.close(reader)
    assert (fifo.is_fifo(), [*tmp_path.glob(".device*")]) == (True, [])
