"""OpenTelemetry's variables: read as its exporters read them, and a header is never shown."""

import pytest

from runmetrics.errors import ConfigurationError
from runmetrics.logs import redact
from runmetrics.sinks.otlp.variables import read_resource, read_variables
from tests.sinks.otlp.otlp_case import CANARY


def environ(**variables: str) -> dict[str, str]:
    return {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()}


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_variables(environ(**variables))
    return str(refused.value)


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://localhost:4318/v1/metrics"),
        ({"ENDPOINT": "http://otel.svc:4318/"}, "http://otel.svc:4318/v1/metrics"),
        ({"ENDPOINT": "https://a.test/x", "HEADERS": "k=v"}, "https://a.test/x/v1/metrics"),
        (
            {"ENDPOINT": "https://a.test", "METRICS_ENDPOINT": "https://b.test/m"},
            "https://b.test/m",
        ),
    ],
)
def test_the_endpoint_for_metrics_is_taken_as_it_is_and_the_common_one_gets_a_path(
    variables: dict[str, str], url: str
) -> None:
    assert read_variables(environ(**variables)).url == url


@pytest.mark.parametrize(
    ("endpoint", "headers", "fault"),
    [
        ("ftp://a.test", "", '"ftp://a.test" is not an https URL: write https://HOST'),
        (
            "http://a.test",
            f"api-key={CANARY}",
            (
                "would send the key to a.test unencrypted:"
                " use https, or set RUNMETRICS_ALLOW_INSECURE_HTTP=true"
            ),
        ),
        (
            f"https://user:{CANARY}@a.test",
            "",
            "holds a user name or a password: write https://HOST without them",
        ),
    ],
)
def test_an_address_that_is_none_or_over_which_a_key_must_not_go_is_refused(
    endpoint: str, headers: str, fault: str
) -> None:
    said = refusal(ENDPOINT=endpoint, HEADERS=headers)

    assert said == f"OTEL_EXPORTER_OTLP_ENDPOINT {fault}"


ELSEWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://elsewhere.test"}
A_KEY = {"OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}"}


def test_the_headers_of_the_environment_go_to_no_address_of_the_env_file() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_variables({**ELSEWHERE, **A_KEY}, A_KEY)

    assert str(refused.value) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT in .env gets no headers from elsewhere: set"
        " OTEL_EXPORTER_OTLP_ENDPOINT in the environment, or OTEL_EXPORTER_OTLP_HEADERS in .env too"
    )


@pytest.mark.parametrize("process", [{}, {**ELSEWHERE, **A_KEY}, ELSEWHERE])
def test_headers_and_address_of_one_place_and_headers_of_the_env_file_are_used(
    process: dict[str, str],
) -> None:
    assert read_variables({**ELSEWHERE, **A_KEY}, process).headers == {"api-key": CANARY}


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("api-key=k", {"api-key": "k"}),
        (" Authorization = Basic%20dXNlcjpw==, x-tenant=a ,", None),
        ("a=b=c", {"a": "b=c"}),
        ("a=,b=x y", {"a": "", "b": "x y"}),
    ],
)
def test_headers_are_pairs_with_encoded_values(text: str, headers: dict[str, str] | None) -> None:
    expected = headers
    if headers is None:
        expected = {"authorization": "Basic dXNlcjpw==", "x-tenant": "a"}

    assert read_variables(environ(HEADERS=text, ENDPOINT="https://a.test")).headers == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"api-key: {CANARY}", 1),
        (f"x-team:{CANARY},X-Org=a", 1),
        (f"x-org=a,{CANARY}", 2),
        (f"Authorization=Bearer%20{CANARY};x=y", 1),
        (f'api-key="{CANARY}"', 1),
    ],
)
def test_o2_a_header_that_is_no_pair_is_refused_by_its_number_and_nothing_of_it_is_shown(
    text: str, number: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    said = refusal(HEADERS=text)

    assert said.startswith(f"OTEL_EXPORTER_OTLP_HEADERS: pair {number} is not name=value: write")
    assert CANARY not in said + "".join(capfd.readouterr()) + caplog.text
    assert CANARY not in redact(f"{text}, and {CANARY} alone")


@pytest.mark.parametrize("text", [f"api-key={CANARY}%0Aline", f"api%0Akey={CANARY}"])
def test_what_no_header_may_hold_is_refused_and_not_shown(text: str) -> None:
    said = refusal(METRICS_HEADERS=text)

    assert said == (
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS: pair 1 holds what no header may hold:"
        " write printable ASCII characters"
    )


def test_the_values_of_headers_are_hidden_from_logs_as_written_and_decoded() -> None:
    read_variables(
        environ(HEADERS=f"api-key=Basic%20{CANARY}, tenant=t", ENDPOINT="https://a.test")
    )

    assert redact(f"header 'Basic {CANARY}'") == "header '***'"
    assert redact(f"'Basic%20{CANARY}'") == "'***'"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"COMPRESSION": "zstd"},
            ("OTEL_EXPORTER_OTLP_COMPRESSION 'zstd' is no compression: write none, gzip, deflate"),
        ),
        (
            {"METRICS_TIMEOUT": "soon"},
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT 'soon' is no timeout: write seconds",
        ),
        ({"TIMEOUT": "0"}, "OTEL_EXPORTER_OTLP_TIMEOUT '0' is no timeout: write seconds"),
    ],
)
def test_other_values_that_cannot_be_used_are_refused(variables: dict[str, str], said: str) -> None:
    assert refusal(**variables) == said


def test_who_is_speaking_is_what_the_variables_say_over_the_defaults() -> None:
    defaults = {"service.name": "runmetrics", "service.version": "1"}
    told = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=x%2Cy", "OTEL_SERVICE_NAME": "b"}

    assert read_resource({}, defaults) == defaults
    assert read_resource(told, defaults) == {
        "service.name": "b",
        "service.version": "1",
        "team": "x,y",
    }
