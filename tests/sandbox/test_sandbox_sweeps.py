"""The W&B server: what the agent of a sweep asks. `official_client` has a real one ask it."""

import json

from runmetrics.sandbox.store import StoredRun, Sweep
from tests.sandbox.sandbox_case import NOW, ask, holding, post

AGENT = """mutation Agent($sweep: String!) {
  createAgent(input: {host: "h", projectName: "p", entityName: "e", sweep: $sweep}) {
    agent { id } } }"""
HEARTBEAT = """mutation Heartbeat($id: ID!) {
  agentHeartbeat(input: {id: $id, metrics: "{}", runState: "{}"}) { commands } }"""
SWEEP = """query Sweep($sweep: String!) {
  project(name: "p", entityName: "e") {
    sweep(sweepName: $sweep) { name state config runs { edges { node { name } } } } } }"""


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
