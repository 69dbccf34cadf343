"""Long texts in a run's summary and config are cut on arrival; what is a number stays."""

import json
import math

from runmetrics.collectors.wandb.reading.long_texts import shortened
from runmetrics.collectors.wandb.runs import make_run
from runmetrics.collectors.wandb.selection import EVERY_RUN
from runmetrics.collectors.wandb.values import Fault, decode_object
from tests.collectors.wandb.collecting import NOW

LONG = "x" * 60_000


def summary_of(text: str) -> dict[str, object]:
    found = decode_object(shortened({"name": "r", "summaryMetrics": text})["summaryMetrics"])
    assert found is not None
    return found


def test_a_long_text_is_cut_and_everything_beside_it_stays() -> None:
    logged = {"out": LONG, "deep": {"list": [1, LONG], "flag": True}, "n": 2**60, "nan": math.nan}
    found = summary_of(json.dumps(logged))
    assert math.isnan(float(str(found.pop("nan"))))
    cut = "x" * 1_000
    assert found == {"out": cut, "deep": {"list": [1, cut], "flag": True}, "n": 2**60}


def test_a_list_keeps_its_length() -> None:
    assert summary_of(json.dumps({"gpus": [LONG] * 16}))["gpus"] == ["x" * 1_000] * 16


def test_a_short_summary_is_left_as_it_is() -> None:
    text = '{"loss": NaN,  "a": "\\ud83d"}'
    assert shortened({"summaryMetrics": text})["summaryMetrics"] == text


def test_a_doubly_encoded_summary_is_read_too() -> None:
    assert summary_of(json.dumps(json.dumps({"out": LONG, "loss": 0.5})))["loss"] == 0.5


def test_json_that_cannot_be_read_stays_a_fault_of_the_run() -> None:
    node = shortened({"name": "r", "summaryMetrics": '{"out": "' + LONG})
    assert len(node["summaryMetrics"]) == 4_096
    assert make_run(node, EVERY_RUN, NOW).faults == (Fault("summaryMetrics is not a JSON object"),)


def test_json_too_deep_to_cut_is_left_alone() -> None:
    text = '{"a": ' * 5_000 + json.dumps(LONG) + "}" * 5_000
    assert shortened({"summaryMetrics": text})["summaryMetrics"] in (text, text[:4_096])
