"""One validated `Settings` from the command line, the environment, `.env` and the YAML file.

The first of these that names a setting wins, then the default. Everything that is wrong is found
at once, before any request, and named by the place it came from; a secret's value is never shown.

pydantic does the validating. Reading the sources is ours: an error must say which of them holds
the fault, and pydantic-settings, which cannot say it, costs 90 ms of every start.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from runmetrics.config import rules
from runmetrics.config.addresses import ALLOW_INSECURE_HTTP
from runmetrics.config.env_file import ENV_FILE, host_faults, read_env_file
from runmetrics.config.file_settings import FileSettings, Text, env
from runmetrics.errors import ConfigurationError
from runmetrics.logs import redact
from runmetrics.proxies import proxy_faults
from runmetrics.spelling import near
from runmetrics.text import one_line

_IN_ENV_FILE = f" in {ENV_FILE}"
_KEYS = ("wandb_api_key", "dd_api_key", "dd_app_key")

_OURS = "RUNMETRICS_"
_OTHERS = ("WANDB_", "DD_")
# Kubernetes sets these for every Service of the namespace, and one may be called runmetrics.
_OF_A_SERVICE = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP).*)?)")
_ALIKE = 0.85
"""No variable of the official W&B client is that near to one of ours."""

_Key = Annotated[SecretStr | None, BeforeValidator(rules.key)]
_Url = Annotated[str | None, BeforeValidator(rules.url)]
_WandbUrl = Annotated[str | None, BeforeValidator(rules.wandb_url)]
_DatadogUrl = Annotated[str | None, BeforeValidator(rules.datadog_url)]
_SecretName = Annotated[str, BeforeValidator(rules.secret_name)]
_Path = Annotated[Path | None, BeforeValidator(rules.path)]


class Settings(FileSettings):
    """Everything that can be set. Made by `Settings.load`, or by hand in a test."""

    model_config = ConfigDict(hide_input_in_errors=True)

    # First, because the rules for URLs ask for it.
    allow_insecure_http: Annotated[
        bool, BeforeValidator(rules.switch), env(ALLOW_INSECURE_HTTP)
    ] = Field(False, description="send keys over plain http to other machines too")
    wandb_api_key: Annotated[_Key, env("WANDB_API_KEY")] = Field(
        None, description="W&B key; else the AWS secret, else what `wandb login` left"
    )
    wandb_api_key_file: Annotated[_Path, env("WANDB_API_KEY_FILE")] = Field(
        None, description="file that holds the W&B key (a mounted secret)"
    )
    base_url: Annotated[_WandbUrl, env("WANDB_BASE_URL")] = Field(
        None,
        description="W&B server; else the host that `wandb login` recorded (of the hosted "
        "service, since client 0.31, https://api.forge.coreweave.com), else https://api.wandb.ai",
    )
    app_url: Annotated[_Url, env("WANDB_APP_URL")] = Field(
        None, description="root of the W&B server's pages, where links lead; else by the server's"
    )
    wandb_secret: Annotated[_SecretName, env("RUNMETRICS_WANDB_SECRET")] = Field(
        "wandb/api-key", description="name or ARN of the AWS secret with the W&B key"
    )
    datadog_secret: Annotated[_SecretName, env("RUNMETRICS_DATADOG_SECRET")] = Field(
        "datadog/api-key", description="name or ARN of the AWS secret with the Datadog key"
    )
    dd_api_key: Annotated[_Key, env("DD_API_KEY")] = Field(
        None, description="Datadog key; else the AWS secret"
    )
    dd_api_key_file: Annotated[_Path, env("DD_API_KEY_FILE")] = Field(
        None, description="file that holds the Datadog key (a mounted secret)"
    )
    dd_app_key: Annotated[_Key, env("DD_APP_KEY")] = Field(
        None,
        description="Datadog application key, for pushing dashboards, monitors and metadata; "
        "collecting needs none",
    )
    dd_site: Annotated[str, BeforeValidator(rules.site), env("DD_SITE")] = Field(
        "datadoghq.com", description="Datadog site"
    )
    dd_url: Annotated[_DatadogUrl, env("DD_DD_URL", "DD_URL")] = Field(
        None, description="whole base URL that overrides DD_SITE; DD_DD_URL wins"
    )
    dd_env: Annotated[Text | None, env("DD_ENV")] = Field(None, description="tag env")
    dd_service: Annotated[Text | None, env("DD_SERVICE")] = Field(None, description="tag service")
    dd_version: Annotated[Text | None, env("DD_VERSION")] = Field(None, description="tag version")
    dd_tags: Annotated[tuple[str, ...], BeforeValidator(rules.tags), env("DD_TAGS")] = Field(
        (), description="further tags: key:value, comma- or space-separated"
    )
    spool_dir: Annotated[_Path, env("RUNMETRICS_SPOOL_DIR", option="--spool")] = Field(
        None, description="where undelivered samples wait"
    )
    prometheus_textfile: Annotated[_Path, env("RUNMETRICS_PROMETHEUS_TEXTFILE")] = Field(
        None, description="file that the sink prometheus writes, in node_exporter's directory"
    )
    config: Annotated[_Path, env("RUNMETRICS_CONFIG", option="--config")] = Field(
        None, description="the YAML file; else ./runmetrics.yaml if it is there"
    )

    _origins: Mapping[str, str] = PrivateAttr({})

    def host_is_of_env_file(self, host: str, key: str) -> bool:
        """Say whether `.env` names the host that a key goes to, and not the key: two settings.

        Whoever can write a file into the working directory must not be able to have a key sent to
        a host of theirs, so such a host gets no key but its own.
        """
        named = {name for name, place in self._origins.items() if place.endswith(_IN_ENV_FILE)}
        return host in named and key not in named

    def place_of(self, name: Literal["entity", "project"]) -> str:
        """Return where what is read was named: "WANDB_PROJECT", "RUNMETRICS_PROJECTS in .env"."""
        named = "projects" if self.projects else name
        return self._origins.get(named, self.source_of(named).variables[0])

    @classmethod
    def load(
        cls,
        overrides: Mapping[str, object] | None = None,
        file_values: Mapping[str, object] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        env_file: Path = ENV_FILE,
    ) -> Self:
        """Read every source and validate.

        `overrides` (the command line) and `file_values` (the YAML file's settings) are by
        the names of the attributes; None in them means "not given". Empty variables count as not
        set, except the keys. Raises ConfigurationError with all faults, "NAME: what is wrong:
        what would be right". The keys found are hidden from logs from here on.
        """
        variables = os.environ if environ is None else environ
        dotenv, faults = read_env_file(env_file)
        faults += [*proxy_faults(variables), *host_faults(variables, dotenv)]
        given = dict(_given(overrides or {}, variables, dotenv, file_values or {}))
        values = {name: value for name, (value, _) in given.items()}
        origins = {name: origin for name, (_, origin) in given.items()}
        for name in _KEYS:
            redact.add(str(values.get(name, "")).strip())
        settings = None
        try:
            settings = cls(**values)
            settings._origins = origins
        except ValidationError as exc:
            faults += [
                f"{origins[str(error['loc'][0])]}: {error['ctx']['error']}"
                for error in exc.errors(include_url=False, include_input=False)
            ]
        if faults or settings is None:
            noun = "setting is" if len(faults) == 1 else "settings are"
            raise ConfigurationError(
                f"{len(faults)} {noun} wrong", faults=[redact(fault) for fault in faults]
            )
        return settings


KNOWN = tuple(
    variable for name in Settings.model_fields for variable in Settings.source_of(name).variables
)


def unread_variables(environ: Mapping[str, str]) -> list[str]:
    """Return what to say of variables that are set, not empty and not read: the right name.

    RUNMETRICS_* is ours alone: any unknown one is said. Of WANDB_* and DD_*, which others read too,
    only near misses of a variable that is not set itself.
    """
    there = {name for name, value in environ.items() if value}
    said = []
    for name in sorted(there - set(KNOWN)):
        prefix = name.upper()
        guess = near(name, KNOWN, cutoff=_ALIKE)
        if prefix.startswith(_OURS) and not _OF_A_SERVICE.fullmatch(prefix):
            fix = f"did you mean {guess}?" if guess else "docs/CONFIGURATION.md has all settings"
            said.append(f"{one_line(name)} is no setting: {fix}")
        elif prefix.startswith(_OTHERS) and guess and guess not in there:
            said.append(f"{one_line(name)} is not read: did you mean {guess}?")
    return said


def settings_table() -> list[tuple[str, str, str]]:
    """Return (variables or option, meaning, default) of every setting, for the docs."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, bool):
            shown = str(default).lower()
        else:
            shown = "" if default in (None, ()) else str(default)
        rows.append((str(Settings.source_of(name)), field.description or "", shown))
    return rows


def _given(
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str],
    file_values: Mapping[str, object],
) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Yield each setting that is given: its name, the value that wins, the place it came from."""
    for name in Settings.model_fields:
        source = Settings.source_of(name)
        candidates = [(overrides.get(name), source.option or name)]
        for variables, place in ((environ, ""), (dotenv, _IN_ENV_FILE)):
            for variable in source.variables:
                value = variables.get(variable)
                candidates.append((value if name in _KEYS else value or None, variable + place))
        if name in FileSettings.model_fields:
            candidates.append((file_values.get(name), f"{name} in the configuration file"))
        if found := [each for each in candidates if each[0] is not None]:
            yield name, found[0]
