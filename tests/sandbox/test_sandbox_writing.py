"""The W&B server: what clients and agents of sweeps write. `official_client` proves the whole."""

import json
from typing import Any

import httpx
import pytest

from runmetrics.sandbox.store import StoredRun, Sweep
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from tests.sandbox.sandbox_case import NOW, ask, holding, hours, of_run, post

UPSERT = """mutation Upsert($id: String, $name: String, $config: JSONString, $tags: [String!]) {
  upsertBucket(input: {
    id: $id, name: $name, modelName: "p", entityName: "e", config: $config, tags: $tags
  }) { bucket { id name displayName project { name } } inserted } }"""
AGENT = """mutation Agent($sweep: String!) {
  createAgent(input: {host: "h", projectName: "p", entityName: "e", sweep: $sweep}) {
    agent { id } } }"""
HEARTBEAT = """mutation Heartbeat($id: ID!) {
  agentHeartbeat(input: {id: $id, metrics: "{}", runState: "{}"}) { commands } }"""
SWEEP = """query Sweep($sweep: String!) {
  project(name: "p", entityName: "e") {
    sweep(sweepName: $sweep) { name state config runs { edges { node { name } } } } } }"""


def stream(sandbox: WandbSandbox, body: dict[str, Any], key: str = SANDBOX_KEY) -> httpx.Response:
    with httpx.Client(verify=False) as client:
        url = f"{sandbox.url}/files/e/p/a/file_stream"
        return client.post(url, json=body, auth=("api", key))


def lines(name: str, *rows: dict[str, Any], offset: int = 0) -> dict[str, Any]:
    return {"files": {name: {"offset": offset, "content": [json.dumps(row) for row in rows]}}}


def test_an_unknown_name_makes_a_running_run_and_its_project() -> None:
    with WandbSandbox(clock=NOW.timestamp) as sandbox:
        answer = ask(sandbox, UPSERT, name="a", tags=["fast"])["upsertBucket"]
        run = sandbox.store.run("e", "p", "a")
    assert answer["inserted"] is True
    assert answer["bucket"]["project"] == {"name": "p"}
    assert (run.state, run.created_at, run.heartbeat_at) == ("running", NOW, NOW)
    assert (run.tags, run.display_name, run.user) == (("fast",), "run-1", "sandbox")


def test_null_arguments_keep_what_was_there() -> None:
    config = json.dumps({"lr": {"value": 0.1}})
    with WandbSandbox() as sandbox:
        bucket = ask(sandbox, UPSERT, name="a", tags=["fast"], config=config)["upsertBucket"]
        again = ask(sandbox, UPSERT, id=bucket["bucket"]["id"])["upsertBucket"]
        run = sandbox.store.run("e", "p", "a")
    assert again["inserted"] is False
    assert (run.tags, run.config) == (("fast",), {"lr": 0.1})


def test_the_gpu_count_is_that_of_the_writer_that_started_last() -> None:
    writers = {
        "w1": {"gpu_count": 8, "gpu": "H100", "startedAt": "2026-01-02T00:00:00Z"},
        "w0": {"gpu_count": 4, "gpu": "A100", "startedAt": "2026-01-01T00:00:00Z"},
    }
    config = json.dumps({"_wandb": {"value": {"e": writers}}})
    with WandbSandbox() as sandbox:
        ask(sandbox, UPSERT, name="a", config=config)
        assert of_run(sandbox, "runInfo { gpu gpuCount }") == {
            "runInfo": {"gpu": "H100", "gpuCount": 8}
        }


def test_only_an_accepted_key_may_write() -> None:
    with holding(StoredRun("a", "running")) as sandbox:
        refused = post(sandbox, UPSERT, key="wrong", name="b")
        assert stream(sandbox, {"complete": True}, key="wrong").status_code == 404
        assert sandbox.store.run("e", "p", "a").state == "running"
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["message"] == "user is not logged in"


def test_every_post_to_the_stream_is_a_heartbeat() -> None:
    with holding(StoredRun("a", "crashed", hours(-2), hours(-1))) as sandbox:
        assert stream(sandbox, {}).json()["limits"] == {}
        run = sandbox.store.run("e", "p", "a")
    assert (run.state, run.heartbeat_at) == ("running", NOW)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"complete": True, "exitcode": 0}, "finished"),
        ({"complete": True, "exitcode": 1}, "failed"),
        ({"complete": False, "preempting": True}, "preempting"),
        ({"complete": False}, "running"),
    ],
)
def test_the_last_post_says_how_the_run_ended(body: dict[str, Any], state: str) -> None:
    with holding(StoredRun("a", "running")) as sandbox:
        stream(sandbox, body)
        assert sandbox.store.run("e", "p", "a").state == state


def test_samples_in_lines_of_their_own_are_merged_key_by_key() -> None:
    cpu, gpu = {"system.cpu": 1, "_runtime": 15}, {"system.gpu.0.gpu": 80, "_runtime": 15}
    with holding(StoredRun("a", "running")) as sandbox:
        stream(sandbox, lines("wandb-events.jsonl", cpu, gpu))
        answer = of_run(sandbox, "systemMetrics computeSeconds eventsLineCount")
    assert json.loads(answer["systemMetrics"]) == cpu | gpu
    assert (answer["computeSeconds"], answer["eventsLineCount"]) == (15, 2)


def test_the_offset_says_where_lines_belong_so_that_a_repeated_post_does_no_harm() -> None:
    with holding(StoredRun("a", "running")) as sandbox:
        for row, offset in (({"_step": 0}, 0), ({"_step": 1}, 1), ({"_step": 1}, 1)):
            stream(sandbox, lines("wandb-history.jsonl", row, offset=offset))
        assert of_run(sandbox, "history historyLineCount") == {
            "history": ['{"_step": 0}', '{"_step": 1}'],
            "historyLineCount": 2,
        }


def test_the_summary_is_kept_as_it_was_sent() -> None:
    raw = '{"loss":NaN,"_runtime":90.5,"_wandb":{"runtime":91}}'
    with holding(StoredRun("a", "running")) as sandbox:
        stream(sandbox, {"files": {"wandb-summary.json": {"offset": 0, "content": [raw]}}})
        answer = of_run(sandbox, "summaryMetrics computeSeconds")
    assert answer == {"summaryMetrics": raw, "computeSeconds": 91}


def test_a_running_run_that_was_silent_for_five_minutes_has_crashed() -> None:
    silent = StoredRun("a", "running", hours(-1), hours(-6 / 60))
    alive = StoredRun("b", "running", hours(-1), hours(-4 / 60))
    with holding(silent, alive, crash_after_seconds=300) as sandbox:
        assert of_run(sandbox, "state", "a") == {"state": "crashed"}
        assert of_run(sandbox, "state", "b") == {"state": "running"}


@pytest.mark.parametrize(("exit_code", "state"), [(0, "finished"), (255, "killed")])
def test_a_run_that_is_to_stop_is_told_so_and_is_killed_when_it_breaks_off(
    exit_code: int, state: str
) -> None:
    with holding(StoredRun("a", "running", NOW, NOW)) as sandbox:
        assert stream(sandbox, {}).json()["stopped"] is False
        sandbox.store.run("e", "p", "a").stopped = True
        assert stream(sandbox, {}).json()["stopped"] is True
        assert of_run(sandbox, "state stopped shouldStop running") == {
            "state": "running",
            "stopped": True,
            "shouldStop": True,
            "running": True,
        }
        stream(sandbox, {"complete": True, "exitcode": exit_code})
        assert of_run(sandbox, "state failed") == {"state": state, "failed": False}


def test_an_agent_gets_one_command_with_each_heartbeat() -> None:
    stop = {"type": "stop", "run_id": "a"}
    with holding() as sandbox:
        sandbox.store.project("e", "p").sweeps["s1"] = Sweep(commands=[stop])
        agent = ask(sandbox, AGENT, sweep="s1")["createAgent"]["agent"]
        answers = [ask(sandbox, HEARTBEAT, **agent)["agentHeartbeat"] for _ in range(2)]
    assert [json.loads(answer["commands"]) for answer in answers] == [[stop], []]


def test_a_sweep_shows_its_configuration_and_its_own_runs() -> None:
    with holding(StoredRun("a", created_at=NOW, sweep="s1"), StoredRun("b")) as sandbox:
        sandbox.store.project("e", "p").sweeps["s1"] = Sweep("method: grid")
        found = ask(sandbox, SWEEP, sweep="s1")["project"]["sweep"]
    assert (found["name"], found["state"], found["config"]) == ("s1", "RUNNING", "method: grid")
    assert found["runs"] == {"edges": [{"node": {"name": "a"}}]}


def test_there_is_no_agent_without_a_sweep_or_a_key() -> None:
    with holding() as sandbox:
        assert ask(sandbox, SWEEP, sweep="s1")["project"]["sweep"] is None
        assert post(sandbox, AGENT, sweep="s1").json()["errors"][0]["message"] == "no sweep s1"
        assert post(sandbox, AGENT, sweep="s1", key="x" * 40).status_code == 400
