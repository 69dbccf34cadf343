"""Settings: which source wins, and every fault named at once (rows H9, H10)."""

from datetime import timedelta
from pathlib import Path

import pytest
import wandb
from datadog_api_client import Configuration
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runmetrics.config.env_file import with_env_file
from runmetrics.config.rules import DATADOG_SITES
from runmetrics.config.settings import KNOWN, Settings, settings_table
from runmetrics.errors import ConfigurationError, ExitCode
from runmetrics.logs import redact
from runmetrics.spelling import shown

CANARY = "canary-0123456789-secret"
NO_ENV_FILE = Path("no-such-directory/.env")


def load(environ: dict[str, str] | None = None, **kwargs: object) -> Settings:
    file_values = kwargs.pop("file_values", None)
    assert file_values is None or isinstance(file_values, dict)
    return Settings.load(kwargs, file_values, environ=environ or {}, env_file=NO_ENV_FILE)


def faults(environ: dict[str, str] | None = None, **kwargs: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, **kwargs)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert CANARY not in f"{caught.value} {caught.value.faults}"
    return list(caught.value.faults)


def test_nothing_set_gives_the_documented_defaults() -> None:
    assert load().model_dump() == {
        "allow_insecure_http": False,
        "wandb_api_key": None,
        "wandb_api_key_file": None,
        "entity": "pufferai",
        "project": "metta",
        "projects": (),
        "base_url": None,
        "app_url": None,
        "accuracy_key": "accuracy",
        "loss_key": "loss",
        "gpus_per_run": "auto",
        "wandb_secret": "wandb/api-key",
        "datadog_secret": "datadog/api-key",
        "dd_api_key": None,
        "dd_api_key_file": None,
        "dd_app_key": None,
        "dd_site": "datadoghq.com",
        "dd_url": None,
        "dd_env": None,
        "dd_service": None,
        "dd_version": None,
        "dd_tags": (),
        "spool_dir": None,
        "prometheus_textfile": None,
        "config": None,
        "silent_after": timedelta(minutes=10),
        "stall_after": timedelta(minutes=30),
        "timeout_seconds": 90,
    }


def test_command_line_beats_environment_beats_env_file_beats_yaml_beats_default(
    tmp_path: Path,
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "RUNMETRICS_LOSS_KEY=dotenv\nWANDB_PROJECT=dotenv\nRUNMETRICS_SPOOL_DIR=d\n"
    )

    settings = Settings.load(
        {"spool_dir": Path("option"), "timeout_seconds": None},
        {"entity": "yaml", "project": "yaml", "loss_key": "yaml", "timeout_seconds": 30},
        environ={"RUNMETRICS_LOSS_KEY": "environ", "RUNMETRICS_SPOOL_DIR": "environ"},
        env_file=env_file,
    )

    assert settings.spool_dir == Path("option")
    assert settings.loss_key == "environ"
    assert settings.project == "dotenv"
    assert settings.entity == "yaml"
    assert settings.timeout_seconds == 30
    assert settings.accuracy_key == "accuracy"


@pytest.mark.parametrize(
    ("environ", "dotenv", "of_file", "option", "place"),
    [
        ({}, "", {}, {}, "WANDB_PROJECT"),
        ({"WANDB_PROJECT": "p"}, "", {"project": "q"}, {}, "WANDB_PROJECT"),
        ({}, "WANDB_PROJECT=p", {"project": "q"}, {}, "WANDB_PROJECT in .env"),
        ({}, "", {"project": "q"}, {}, "project in the configuration file"),
        (
            {"WANDB_PROJECT": "p"},
            "",
            {"projects": ["e/q"]},
            {},
            "projects in the configuration file",
        ),
        ({"RUNMETRICS_PROJECTS": "e/p"}, "", {"projects": ["e/q"]}, {}, "RUNMETRICS_PROJECTS"),
        (
            *({"RUNMETRICS_PROJECTS": "e/p"}, "", {"projects": ["e/q"]}),
            *({"project": "p", "projects": ()}, "--project"),
        ),
    ],
)
def test_where_the_project_was_named_is_known(
    environ: dict[str, str],
    dotenv: str,
    of_file: dict[str, object],
    option: dict[str, object],
    place: str,
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text(dotenv)

    settings = Settings.load(option, of_file, environ=environ, env_file=tmp_path / ".env")

    assert settings.place_of("project") == place


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[a/b]", "a/b"),
        ("['a/b', \"c/d e\"]", "a/b,c/d e"),
        ("[a/b,", "a/b"),
        ("[]", "one,another"),
    ],
)
def test_a_list_in_brackets_is_no_value_of_a_variable(text: str, right: str) -> None:
    assert faults({"RUNMETRICS_PROJECTS": text}) == [
        f"RUNMETRICS_PROJECTS: {shown(text)} stands in brackets: write {right}"
    ]


def test_the_process_environment_and_the_env_file_here_are_the_default_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text('\ufeffWANDB_ENTITY="acme"\nWANDB_PROJECT=overridden\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_PROJECT", "llm")

    assert (Settings.load().entity, Settings.load().project) == ("acme", "llm")


def test_values_are_cleaned_and_typed() -> None:
    settings = load(
        {
            "WANDB_API_KEY": f"\ufeff {CANARY}\r\n",
            "RUNMETRICS_PROJECTS": "acme/llm, acme/vision ,other/*,acme/llm",
            "RUNMETRICS_GPUS_PER_RUN": "8",
            "DD_TAGS": "team:ml, tier:1 zone:a",
            "DD_SITE": "DATADOGHQ.EU",
            "DD_URL": "https://ignored.example",
            "DD_DD_URL": "https://proxy.example/dd/",
            "WANDB_BASE_URL": "http://127.0.0.1:8080/",
            "DD_ENV": "",
        }
    )

    assert settings.wandb_api_key is not None
    assert settings.wandb_api_key.get_secret_value() == CANARY
    assert [entry.path for entry in settings.projects] == ["acme/llm", "acme/vision", "other/*"]
    assert settings.gpus_per_run == 8
    assert settings.dd_tags == ("team:ml", "tier:1", "zone:a")
    assert settings.dd_site == "datadoghq.eu"
    assert settings.dd_url == "https://proxy.example/dd"
    assert settings.base_url == "http://127.0.0.1:8080"
    assert settings.dd_env is None


@pytest.mark.parametrize("variable", ["WANDB_API_KEY", "DD_API_KEY", "DD_APP_KEY"])
def test_a_key_never_shows_in_the_settings_and_is_hidden_from_logs_once_loaded(
    variable: str,
) -> None:
    settings = load({variable: CANARY})

    assert CANARY not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert redact(f"sent {CANARY}") == "sent ***"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().entity = "other"  # type: ignore[misc]


def test_h9_all_faults_are_listed_at_once_each_by_its_source(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("RUNMETRICS_GPUS_PER_RUN=many\n")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(
            {"timeout_seconds": "soon"},
            {"projects": ["acme"]},
            environ={
                "WANDB_API_KEY": "",
                "DD_API_KEY": f"{CANARY}\n{CANARY}",
                "DD_SITE": "foo",
                "DD_URL": "ftp://",
                "WANDB_BASE_URL": f"https://user:{CANARY}@wandb.example",
            },
            env_file=env_file,
        )

    assert str(caught.value) == "8 settings are wrong"
    assert caught.value.faults == (
        (
            'projects in the configuration file: "acme" is not a project: '
            "write entity/project or entity/*"
        ),
        (
            'RUNMETRICS_GPUS_PER_RUN in .env: "many" is no way to count GPUs: '
            "write auto, a number above 0 and up to 16384, or config.KEY"
        ),
        '--timeout: "soon" is no timeout: write seconds, from 1 to 86400',
        "WANDB_API_KEY: is empty: set it to the key alone, or unset it",
        "WANDB_BASE_URL: holds a user name or a password: write https://HOST without them",
        (
            "DD_API_KEY: holds white space, a line end or another character that no key has: "
            "set it to the key alone, or unset it"
        ),
        (
            'DD_SITE: "foo" is not a Datadog site: it can be datadoghq.com, us3.datadoghq.com, '
            "us5.datadoghq.com, ap1.datadoghq.com, ap2.datadoghq.com, uk1.datadoghq.com, "
            "datadoghq.eu, ddog-gov.com, us2.ddog-gov.com"
        ),
        'DD_URL: "ftp://" is not an https URL: write https://HOST',
    )


@pytest.mark.parametrize("name", ["RUNMETRICS_ACCURACY_KEY", "RUNMETRICS_LOSS_KEY"])
def test_a_summary_key_is_written_without_the_word_summary_before_it(name: str) -> None:
    assert faults({name: "summary.val/acc"}) == [
        f'{name}: "summary.val/acc" is not a summary key: write val/acc: the key alone'
    ]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        (
            "http://wandb.example",
            (
                "would send the key to wandb.example unencrypted: "
                "use https, or set RUNMETRICS_ALLOW_INSECURE_HTTP=true"
            ),
        ),
        (
            "https://169.254.169.254",
            ("169.254.169.254 is a link-local or metadata address: name the real server"),
        ),
        (
            "https://[fd00:ec2::254]",
            ("fd00:ec2::254 is a link-local or metadata address: name the real server"),
        ),
        (
            "https://2852039166",
            ("2852039166 is a link-local or metadata address: name the real server"),
        ),
        (
            "https://[::ffff:169.254.1.1]",
            ("::ffff:169.254.1.1 is a link-local or metadata address: name the real server"),
        ),
        ("wandb.example", '"wandb.example" is not an https URL: write https://HOST'),
        ("https://wandb.example:99999", "is not a URL: write https://HOST"),
        (
            f"https://wandb.example/?key={CANARY}",
            ("holds a query or a fragment: write https://HOST or https://HOST/PATH"),
        ),
    ],
)
def test_h9_an_address_that_must_not_get_a_key_is_refused(url: str, fault: str) -> None:
    assert faults({"WANDB_BASE_URL": url}) == [f"WANDB_BASE_URL: {fault}"]
    assert faults({"DD_URL": url}) == [f"DD_URL: {fault}"]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://wandb.ai", "is where W&B's pages are: write https://api.wandb.ai"),
        ("https://wandb.ai/acme/llm", "is where W&B's pages are: write https://api.wandb.ai"),
        ("https://app.wandb.ai", "is where W&B's pages are: write https://api.wandb.ai"),
        (
            "https://forge.coreweave.com/wandb",
            "is where W&B's pages are: write https://api.forge.coreweave.com",
        ),
        (
            "https://api.wandb.ai/graphql",
            "holds the path of the API too: write https://api.wandb.ai",
        ),
        (
            "https://wandb.acme.example/base/api/graphql",
            "holds the path of the API too: write https://wandb.acme.example/base",
        ),
        (
            "https://wandb.acme.example/api",
            "holds the path of the API too: write https://wandb.acme.example",
        ),
    ],
)
def test_h9_an_address_that_is_not_the_apis_root_is_told_which_one_is(url: str, fault: str) -> None:
    assert faults({"WANDB_BASE_URL": url}) == [f'WANDB_BASE_URL: "{url}" {fault}']


@pytest.mark.parametrize(
    "url",
    ["https://wandb.ai", "https://app.wandb.ai", "https://forge.coreweave.com/wandb"],
)
def test_the_official_client_refuses_the_pages_of_the_hosted_service_too(url: str) -> None:
    with pytest.raises(ValueError, match=r"did you mean|use https://api\."):
        wandb.Settings(base_url=url)
    assert faults({"WANDB_BASE_URL": url})


def test_the_way_to_the_api_on_the_pages_host_is_taken_as_the_official_client_takes_it() -> None:
    url = "https://forge.coreweave.com/api/wandb/"
    assert load({"WANDB_BASE_URL": url}).base_url == wandb.Settings(base_url=url).base_url


def test_h9_a_datadog_address_with_the_path_of_the_api_is_told_the_bare_one() -> None:
    assert faults({"DD_URL": "https://proxy.example/dd/api/v2/series"}) == [
        (
            'DD_URL: "https://proxy.example/dd/api/v2/series" holds the path of the API too: '
            "write https://proxy.example/dd"
        )
    ]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080", "http://127.1.2.3", "http://[::1]:80", "https://10.0.0.7/wandb"],
)
def test_loopback_may_be_plain_http_and_private_networks_may_be_used(url: str) -> None:
    assert load({"WANDB_BASE_URL": url}).base_url == url


def test_plain_http_elsewhere_needs_the_explicit_word() -> None:
    environ = {"WANDB_BASE_URL": "http://wandb.lan", "RUNMETRICS_ALLOW_INSECURE_HTTP": "true"}
    assert load(environ).base_url == "http://wandb.lan"
    assert faults({**environ, "RUNMETRICS_ALLOW_INSECURE_HTTP": "maybe"}) == [
        'RUNMETRICS_ALLOW_INSECURE_HTTP: "maybe" is neither true nor false: write true or false',
        (
            "WANDB_BASE_URL: would send the key to wandb.lan unencrypted: "
            "use https, or set RUNMETRICS_ALLOW_INSECURE_HTTP=true"
        ),
    ]


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        (
            "RUNMETRICS_PROJECTS",
            "a/b/c",
            ('"a/b/c" is not a project: write entity/project or entity/*'),
        ),
        (
            "RUNMETRICS_PROJECTS",
            "acme/ll*",
            ('"acme/ll*" is not a project: write entity/project or entity/*'),
        ),
        ("WANDB_ENTITY", "a/b", '"a/b" is not the name of an entity: write the name alone'),
        (
            "WANDB_PROJECT",
            "a/b",
            (
                '"a/b" is not the name of a project: '
                "write the name alone, or entity/project in RUNMETRICS_PROJECTS"
            ),
        ),
        (
            "RUNMETRICS_GPUS_PER_RUN",
            "0",
            (
                '"0" is no way to count GPUs: '
                "write auto, a number above 0 and up to 16384, or config.KEY"
            ),
        ),
        (
            "RUNMETRICS_GPUS_PER_RUN",
            "inf",
            (
                '"inf" is no way to count GPUs: '
                "write auto, a number above 0 and up to 16384, or config.KEY"
            ),
        ),
        ("DD_TAGS", "team:ml,1:2", '"1:2" is not a tag: write key:value, from a letter on'),
        ("DD_TAGS", ",", '"," names nothing: write one or more, or leave it out'),
        ("DD_TAGS", " ", '" " names nothing: write one or more, or leave it out'),
        (
            "DD_TAGS",
            "team:ml,Wandb_Project:x",
            '"Wandb_Project" has a meaning of its own: take another name',
        ),
        ("DD_TAGS", "host:a", '"host" has a meaning of its own: take another name'),
        (
            "RUNMETRICS_PROJECTS",
            " , ",
            '" , " names nothing: write one or more, or leave it out',
        ),
        ("DD_SERVICE", "a\nb", "is not one line of text: write a name"),
        ("WANDB_ENTITY", "'acme'", "\"'acme'\" stands in quotes: write it without them"),
        (
            "DD_SITE",
            '"datadoghq.eu"',
            '"\\"datadoghq.eu\\"" stands in quotes: write it without them',
        ),
        (
            "RUNMETRICS_WANDB_SECRET",
            "my secret",
            ('"my secret" is not an AWS secret: write its name or its ARN'),
        ),
    ],
)
def test_h9_each_kind_of_value_says_what_would_be_right(
    variable: str, value: str, fault: str
) -> None:
    assert faults({variable: value}) == [f"{variable}: {fault}"]


def test_unified_service_tags_may_stand_in_dd_tags_as_datadog_documents_it() -> None:
    assert load({"DD_TAGS": "env:prod,service:a,version:1"}).dd_tags == (
        *("env:prod", "service:a", "version:1"),
    )


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "1e9", True])
def test_h9_a_timeout_is_a_number_of_seconds(seconds: object) -> None:
    assert faults(timeout_seconds=seconds) == [
        f"--timeout: {shown(seconds)} is no timeout: write seconds, from 1 to 86400"
    ]


@pytest.mark.parametrize(
    ("site", "guess"),
    [
        ("https://app.datadoghq.eu/", "datadoghq.eu"),
        ("api.us5.datadoghq.com", "us5.datadoghq.com"),
        ("datadoghq.cm", "datadoghq.com"),
    ],
)
def test_h9_a_site_that_is_nearly_one_is_guessed(site: str, guess: str) -> None:
    assert faults({"DD_SITE": site}) == [
        f'DD_SITE: "{site}" is not a Datadog site: did you mean {guess}?'
    ]


def test_the_yaml_file_can_set_neither_a_key_nor_where_it_is_sent() -> None:
    settings = load(
        file_values={
            "wandb_api_key": CANARY,
            "base_url": "https://x.example",
            "dd_url": "https://y",
        }
    )
    assert (settings.wandb_api_key, settings.base_url, settings.dd_url) == (None, None, None)


def test_h10_a_proxy_that_cannot_work_is_named_without_its_password() -> None:
    assert faults(
        {
            "HTTPS_PROXY": f"socks5://me:{CANARY}@proxy.example:1080",
            "http_proxy": f"http://me:{CANARY}@proxy.example:99999",
            "NO_PROXY": "localhost,.svc,*.lan,10.0.0.0/8,::1,fd00::/8,host:80,[::1],http://[::1",
        }
    ) == [
        "HTTPS_PROXY: is not an http proxy: write http://HOST:PORT or unset it",
        "http_proxy: is not an http proxy: write http://HOST:PORT or unset it",
        (
            'NO_PROXY: "[::1]" is neither a host, an address nor a network: '
            "write them comma-separated, IPv6 without brackets"
        ),
        (
            'NO_PROXY: "http://[::1" is neither a host, an address nor a network: '
            "write them comma-separated, IPv6 without brackets"
        ),
    ]


def test_h10_the_usual_proxy_variables_are_fine() -> None:
    load(
        {
            "HTTPS_PROXY": "proxy.example:3128",
            "ALL_PROXY": "http://u:p@proxy.example",
            "NO_PROXY": "*",
        }
    )


def test_an_env_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"WANDB_ENTITY=\xff\n")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, env_file=env_file)
    assert caught.value.faults == (
        f"{env_file}: cannot be read (it is not UTF-8): fix or remove it",
    )


@pytest.mark.parametrize(
    "endpoint", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]
)
def test_a_receiver_of_the_env_file_gets_no_headers_of_the_environment(
    endpoint: str, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"{endpoint}=https://elsewhere.example\n")
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}"}

    Settings.load(environ={}, env_file=env_file)
    Settings.load(environ={**headers, endpoint: "https://mine.example"}, env_file=env_file)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ=headers, env_file=env_file)

    assert caught.value.faults == (
        (
            f"{endpoint} in .env: gets no headers from elsewhere: set it in the environment, or "
            "OTEL_EXPORTER_OTLP_HEADERS in .env alone"
        ),
    )


def test_each_line_of_an_env_file_that_sets_nothing_is_a_fault_with_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("WANDB_ENTITY=acme\n# a note\n\nthis is junk\nDD_ENV=prod\nmore of it\n")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, env_file=env_file)
    assert caught.value.faults == (
        f"{env_file}:4: is not NAME=value: fix or remove the line",
        f"{env_file}:6: is not NAME=value: fix or remove the line",
    )
    assert caplog.messages == []  # nor a word of the library's own


def test_an_env_file_is_taken_literally(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("WANDB_API_KEY='abc$HOME${X}def'\n")
    key = Settings.load(environ={}, env_file=env_file).wandb_api_key
    assert key is not None
    assert key.get_secret_value() == "abc$HOME${X}def"


def test_what_is_asked_before_loading_sees_the_env_file_under_the_environment(
    tmp_path: Path,
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("RUNMETRICS_CONFIG=mine.yaml\nDD_ENV=dev\n")
    assert with_env_file({"DD_ENV": "prod"}, env_file) == {
        "RUNMETRICS_CONFIG": "mine.yaml",
        "DD_ENV": "prod",
    }


def test_the_datadog_sites_are_those_of_the_official_client() -> None:
    servers = Configuration().get_host_settings()
    assert set(DATADOG_SITES) == set(servers[0]["variables"]["site"]["enum_values"])


def test_every_setting_has_its_row_in_the_table() -> None:
    rows = settings_table()
    assert len(rows) == len(Settings.model_fields)
    assert all(variable and meaning for variable, meaning, _default in rows)
    assert ("WANDB_ENTITY", "W&B entity to read", "pufferai") in rows
    assert ("--timeout", "bound in time for the whole run, in seconds", "90") in rows
    assert any(row[2] == "false" for row in rows)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45m", 2700), ("2h", 7200), ("1d", 86_400), ("1w", 604_800)]
)
def test_when_a_run_is_silent_or_stalled_is_a_length_of_time(text: str, seconds: int) -> None:
    settings = Settings.load(
        environ={"RUNMETRICS_SILENT_AFTER": text, "RUNMETRICS_STALL_AFTER": text}
    )

    assert settings.silent_after == settings.stall_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0m", "10", "-5m", "ten minutes", "1.5h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.load(environ={"RUNMETRICS_STALL_AFTER": text})

    assert refused.value.faults == (
        f'RUNMETRICS_STALL_AFTER: "{text}" is not a length of time: write 7d, 24h, 30m or 90s',
    )


ODD = [
    "https://[",
    "https://a:b@c",
    "http://10.0.0.1",
    "'",
    '""',
    "a/b",
    "a/*",
    "auto",
    "nan",
    "1e9",
]
VALUES = st.sampled_from(ODD) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=12
)


@given(st.dictionaries(st.sampled_from(KNOWN), VALUES, max_size=6))
def test_any_environment_is_settings_or_faults_of_one_line_each(environ: dict[str, str]) -> None:
    found: tuple[str, ...] = ()
    try:
        load(environ)
    except ConfigurationError as error:
        found = error.faults or ("",)
    assert all(len(fault.splitlines()) == 1 and ": " in fault for fault in found)
