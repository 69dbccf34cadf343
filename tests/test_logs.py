"""Logs: readable, redacted at one place, and never a reason to stop (row H7)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runmetrics.logs import Redactor, excerpt, redact

CANARY = 'canary"0123/secret'

PROGRAM = """
import logging, sys, threading, warnings
from runmetrics import logs

logs.configure(verbose="verbose" in sys.argv)
logs.redact.add('canary"0123/secret')
log = logging.getLogger("runmetrics.x")
secret = "".join(reversed('terces/3210"yranac'))
"""


def run(
    body: str, *arguments: str, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + body, *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=300,
        check=False,
    )


def lines(body: str, *arguments: str) -> list[dict[str, Any]]:
    result = run(body, *arguments)
    assert "canary" not in result.stderr
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_off_a_terminal_a_line_is_one_json_object_with_the_pairs_of_extra() -> None:
    (line,) = lines("log.info('read %d runs', 12, extra={'project': 'acme/llm', 'seconds': 0.5})")

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "runmetrics.x",
        "message": "read 12 runs",
        "project": "acme/llm",
        "seconds": 0.5,
    }


def test_debug_lines_are_for_verbose_and_never_those_of_other_libraries() -> None:
    body = "log.debug('ours'); logging.getLogger('botocore').debug('theirs')"
    assert lines(body) == []
    assert [line["message"] for line in lines(body, "verbose")] == ["ours"]


def test_a_secret_is_hidden_in_messages_in_pairs_and_inside_other_values() -> None:
    (line,) = lines("log.warning('sent ' + secret, extra={'a': secret, 'b': {'deep': [secret]}})")
    assert (line["message"], line["a"], line["b"]) == ("sent ***", "***", {"deep": ["***"]})


def test_warnings_and_other_libraries_go_through_the_same_place() -> None:
    found = lines("warnings.warn(secret); logging.getLogger('httpx').error(secret)")
    assert [line["logger"] for line in found] == ["py.warnings", "httpx"]


def test_an_exception_is_one_line_and_has_a_traceback_only_with_verbose() -> None:
    body = """
def work(local):
    raise ValueError(local)
try:
    work(secret)
except ValueError:
    log.exception("failed")
"""
    (short,) = lines(body)
    (long,) = lines(body, "verbose")

    assert short["error"] == "ValueError: ***"
    assert "exception" not in short
    assert long["exception"].startswith("Traceback (most recent call last):\n")
    assert long["exception"].endswith("\nValueError: ***")


@pytest.mark.parametrize(
    "body", ["raise KeyError(secret)", "threading.Thread(target={}.pop, args=(secret,)).start()"]
)
def test_an_uncaught_exception_is_one_redacted_line(body: str) -> None:
    (line,) = lines(body)
    assert line["level"] == "critical"
    assert line["message"] == "a bug of ours (--verbose shows where): KeyError: '***'"


def test_a_line_that_cannot_be_rendered_is_said_and_work_goes_on() -> None:
    result = run("log.info('%d', 'x'); print('done')")
    assert result.stderr == "a log line of runmetrics.x could not be rendered: TypeError\n"
    assert result.stdout == "done\n"


def test_on_a_terminal_lines_are_for_people() -> None:
    leader, follower = os.openpty()
    try:
        run("log.info('read 12\\x1b[2J runs', extra={'sent': secret})", stderr=follower)
        shown = os.read(leader, 10_000).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert re.fullmatch(r"\x1b\[36m\d\d:\d\d:\d\dZ info    \x1b\[0m read 12 \[2J runs\r\n", shown)


def test_h7_a_closed_stderr_does_not_stop_the_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = run("[log.info('x' * 5000) for _ in range(50)]; print('done')", stderr=writer)
    os.close(writer)
    assert (result.returncode, result.stdout) == (0, "done\n")


def test_h7_a_full_disk_under_stderr_does_not_stop_the_work() -> None:
    with Path("/dev/full").open("wb") as full:
        result = run("log.info('x'); print('done')", stderr=full.fileno())
    assert (result.returncode, result.stdout) == (0, "done\n")


def test_h7_starting_without_stderr_does_not_stop_the_work() -> None:
    body = PROGRAM + "log.info('x'); print('done')"
    result = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, body],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "done\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Basic YXBpOmNhbmFyeTEyMw==", "Authorization: Basic ***"),
        ("authorization: bearer eyJhbGciOiJIUzI1NiJ9.e30.abc-_1", "authorization: bearer ***"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
        ("DD-API-KEY: " + "0123456789abcdef" * 2, "DD-API-KEY: ***"),
        ("wandb key " + "0123456789" * 4 + ".", "wandb key ***."),
        ("via http://me:pw@proxy.example:3128/", "via http://***@proxy.example:3128/"),
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "use Basic authentication",
        "run 3f2b9c41 of acme/llm",
        "digest " + "0123456789abcdef" * 4,
        "https://wandb.example/acme@home",
    ],
)
def test_what_does_not_look_like_a_key_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_secret_is_hidden_in_every_form_it_travels_in() -> None:
    redactor = Redactor()
    redactor.add("ab/cd+é")
    redactor.add("ab/cd+é-longer")
    assert redactor("ab/cd+é ab%2Fcd%2B%C3%A9 ab/cd+\\u00e9 ab/cd+é-longer") == "*** *** *** ***"


def test_a_word_too_short_to_be_a_secret_is_not_hidden() -> None:
    redactor = Redactor()
    redactor.add("")
    redactor.add("key")
    assert redactor("the key of it") == "the key of it"


def test_an_excerpt_is_one_line_of_at_most_1000_bytes_redacted_before_it_is_cut() -> None:
    redact.add("0123456789-canary")
    assert excerpt(b"x" * 990 + b"0123456789-canary") == "x" * 990 + "***"
    assert excerpt("a\n\tb" + "é" * 600) == "a b" + "é" * 498 + "..."
    assert excerpt(b"\xff\xfe") == "��"
