"""The textfile: whole or not at all, readable by node_exporter, and honest about a bad disk."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.errors import ConfigurationError, ExitCode, TemporaryError
from runmetrics.plugins import Setup, Sink
from runmetrics.sinks.prometheus import TextfileSink
from runmetrics.spool import Spool
from tests.sinks.prometheus.prometheus_case import disk_that_fails, no_privileges, sample, ten
from tests.sinks.prometheus.promtool import complaints

OLD = b"# HELP old Old\n# TYPE old gauge\nold 1.0\n"


@pytest.fixture
def textfile(tmp_path: Path) -> Path:
    """A textfile of an earlier run, in a directory of its own."""
    path = tmp_path / "textfiles" / "runmetrics.prom"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def test_the_ten_are_written_as_promtool_likes_them(textfile: Path, promtool: Path) -> None:
    delivery = TextfileSink(textfile).deliver(ten(), Deadline(60))

    assert delivery.code == ExitCode.OK
    assert [end.name for end in delivery.accepted] == [one.name for one in ten()]
    assert complaints(promtool, textfile.read_bytes()) == []
    assert b'\nwandb_runs_active{collector="wandb",wandb_entity="e"' in textfile.read_bytes()
    assert delivery.bytes_sent == textfile.stat().st_size


def test_a_delivery_replaces_the_one_before_it(textfile: Path) -> None:
    sink = TextfileSink(textfile)
    sink.deliver([sample("a.x", 1), sample("a.gone", 1)], Deadline(60))

    sink.deliver([sample("a.x", 2)], Deadline(60))

    assert textfile.read_bytes() == b"# HELP a_x a.x\n# TYPE a_x gauge\na_x 2.0\n"


def test_the_file_is_readable_by_all_and_alone(textfile: Path) -> None:
    before = os.umask(0o077)
    try:
        TextfileSink(textfile).deliver([sample()], Deadline(60))
    finally:
        os.umask(before)

    assert textfile.stat().st_mode & 0o777 == 0o644
    assert list(textfile.parent.iterdir()) == [textfile]


def test_a_sample_that_cannot_be_shown_makes_the_delivery_partial(textfile: Path) -> None:
    delivery = TextfileSink(textfile).deliver([sample(), sample("a.x", float("inf"))], Deadline(60))

    assert delivery.code == ExitCode.PARTIAL
    assert [drop.reason for drop in delivery.dropped] == ["not_finite"]
    assert delivery.notices == ("1 sample was not shown (not_finite): a.x",)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_p1_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    textfile: Path, call: str
) -> None:
    sink = TextfileSink(textfile, calls=disk_that_fails(call))

    delivery = sink.deliver([sample()], Deadline(60))

    assert delivery.code == ExitCode.TEMPORARY
    assert delivery.undelivered == (sample(),)
    assert delivery.error == (
        f"the textfile {textfile} cannot be written (No space left on device):"
        " the old one is intact; look at the disk"
    )
    assert textfile.read_bytes() == OLD
    assert list(textfile.parent.iterdir()) == [textfile]


def test_p1_a_full_disk_is_seen_by_the_check_which_leaves_nothing_beside_the_file(
    textfile: Path,
) -> None:
    with pytest.raises(TemporaryError, match="No space left on device"):
        TextfileSink(textfile, calls=disk_that_fails("write")).check(Deadline(60))
    TextfileSink(textfile).check(Deadline(60))

    assert textfile.read_bytes() == OLD
    assert list(textfile.parent.iterdir()) == [textfile]


def test_p1_a_missing_directory_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "runmetrics.prom"

    delivery = TextfileSink(path).deliver([sample()], Deadline(60))

    assert delivery.code == ExitCode.CONFIGURATION
    assert delivery.undelivered == (sample(),)
    assert delivery.error == (
        f"the textfile {path} cannot be written (No such file or directory):"
        " RUNMETRICS_PROMETHEUS_TEXTFILE must name a file in a directory that is there and writable"
    )


def test_p1_the_check_tries_the_directory_that_a_link_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "runmetrics.prom"
    link.symlink_to(tmp_path / "missing" / "runmetrics.prom")

    with pytest.raises(ConfigurationError, match="No such file or directory"):
        TextfileSink(link).check(Deadline(60))
    (tmp_path / "missing").mkdir()
    TextfileSink(link).check(Deadline(60))
    delivery = TextfileSink(link).deliver(ten(), Deadline(60))

    assert (len(delivery.accepted), link.is_symlink()) == (10, True)
    assert "wandb_runs_active" in (tmp_path / "missing" / "runmetrics.prom").read_text()


def test_p1_a_directory_that_is_not_writable_is_a_fault_of_the_configuration(
    textfile: Path,
) -> None:
    textfile.parent.chmod(0o555)
    sink = TextfileSink(textfile)
    sink.preload()
    with no_privileges():
        delivery = sink.deliver([sample()], Deadline(60))
    textfile.parent.chmod(0o755)

    assert delivery.code == ExitCode.CONFIGURATION
    assert "cannot be written (Permission denied): RUNMETRICS_" in delivery.error
    assert textfile.read_bytes() == OLD


def test_p1_a_read_only_file_system_is_a_fault_of_the_configuration(textfile: Path) -> None:
    sink = TextfileSink(textfile, calls=disk_that_fails("open", errno.EROFS))

    delivery = sink.deliver([sample()], Deadline(60))

    assert delivery.code == ExitCode.CONFIGURATION
    assert "cannot be written (Read-only file system)" in delivery.error


def test_a_directory_in_the_place_of_the_file_is_a_fault_of_the_configuration(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runmetrics.prom"
    path.mkdir()

    delivery = TextfileSink(path).deliver([sample()], Deadline(60))

    assert delivery.code == ExitCode.CONFIGURATION
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix == ".tmp"] == []


def test_a_spooled_sample_expires_instead_of_being_shown_as_of_now(
    textfile: Path, tmp_path: Path
) -> None:
    with Spool(tmp_path) as spool:
        full = TextfileSink(textfile, calls=disk_that_fails("write"))
        deliver_through(spool, [full], [sample("a.old")], Deadline(60))

        (delivery,) = deliver_through(
            spool, [TextfileSink(textfile)], [sample("a.new", time=datetime.now(UTC))], Deadline(60)
        )

    assert [(drop.sample.name, drop.reason) for drop in delivery.dropped] == [("a.old", "expired")]
    assert textfile.read_bytes() == b"# HELP a_new a.new\n# TYPE a_new gauge\na_new 4.0\n"


def test_the_settings_name_the_file(textfile: Path) -> None:
    settings = Settings.load(environ={"RUNMETRICS_PROMETHEUS_TEXTFILE": str(textfile)})
    sink: Sink = TextfileSink.open(Setup(settings))

    assert sink.name == "prometheus"
    assert sink.deliver([sample()], Deadline(60)).accepted == (sample(),)
    assert textfile.read_bytes() != OLD


def test_a_sink_that_was_not_told_its_file_is_refused() -> None:
    with pytest.raises(ConfigurationError) as refused:
        TextfileSink.open(Setup(Settings()))

    assert str(refused.value) == (
        "the sink prometheus needs RUNMETRICS_PROMETHEUS_TEXTFILE:"
        " set it to a file in node_exporter's textfile directory, DIRECTORY/runmetrics.prom"
    )


def test_a_file_that_node_exporter_would_not_read_is_refused() -> None:
    with pytest.raises(ConfigurationError) as refused:
        TextfileSink(Path("metrics.txt"))

    assert str(refused.value) == (
        "RUNMETRICS_PROMETHEUS_TEXTFILE 'metrics.txt' does not end with .prom:"
        " node_exporter reads no other files"
    )


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from pathlib import Path\n"
        "from runmetrics.config.settings import Settings\n"
        "from runmetrics import Setup\n"
        "from runmetrics.sinks.prometheus import TextfileSink\n"
        "try: TextfileSink.open(Setup(Settings(prometheus_textfile=Path('x.prom'))))\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert said.stdout.decode() == (
        "the sink prometheus needs packages that are not installed:"
        " install runmetrics with its extra, runmetrics[prometheus]"
        " (in a clone: uv run --extra prometheus runmetrics ...)\n"
    )


def test_importing_the_sink_does_not_import_the_library() -> None:
    program = (
        "import sys, runmetrics.sinks.prometheus.textfile;"
        "sys.exit('prometheus_client' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_p5_an_age_is_written_as_the_instant_so_that_a_stale_file_looks_old(textfile: Path) -> None:
    age = sample("runmetrics.data_age_seconds", 0.17, unit="second", tags={"collector": "wandb"})

    delivery = TextfileSink(textfile).deliver([age, sample()], Deadline(60))

    assert sorted(delivery.accepted, key=id) == sorted([age, *delivery.accepted[:1]], key=id)
    written = textfile.read_text()
    assert "data_age" not in written
    (line,) = [line for line in written.splitlines() if line.startswith("runmetrics_data_times")]
    assert line.startswith('runmetrics_data_timestamp_seconds{collector="wandb"} ')
    assert float(line.split()[-1]) == age.time.timestamp()
