"""One validated `Settings` from the command line, the environment, `.env` and the YAML file.

The first of these that names a setting wins, then the default. Everything that is wrong is found
at once, before any request, and named by the place it came from; a secret's value is never shown.

pydantic does the validating. Reading the sources is ours: an error must say which of them holds
the fault, and pydantic-settings, which cannot say it, costs 90 ms of every start.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from runmetrics.config import rules
from runmetrics.config.addresses import ALLOW_INSECURE_HTTP
from runmetrics.config.env_file import ENV_FILE, host_faults, read_env_file
from runmetrics.config.file_settings import FileSettings, From, Text, env, source_of
from runmetrics.errors import ConfigurationError
from runmetrics.logs import redact
from runmetrics.proxies import proxy_faults

_IN_ENV_FILE = f" in {ENV_FILE}"
_KEYS = ("wandb_api_key", "dd_api_key", "dd_app_key")

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
        description="W&B server; else the host that `wandb login` recorded, "
        "else https://api.wandb.ai",
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
    spool_dir: Annotated[_Path, From(("RUNMETRICS_SPOOL_DIR",), "--spool")] = Field(
        None, description="where undelivered samples wait"
    )
    prometheus_textfile: Annotated[_Path, env("RUNMETRICS_PROMETHEUS_TEXTFILE")] = Field(
        None, description="file that the sink prometheus writes, in node_exporter's directory"
    )
    config: Annotated[_Path, From(("RUNMETRICS_CONFIG",), "--config")] = Field(
        None, description="the YAML file; else ./runmetrics.yaml if it is there"
    )

    _from_env_file: frozenset[str] = PrivateAttr(frozenset())

    def host_is_of_env_file(self, host: str, key: str) -> bool:
        """Say whether `.env` names the host that a key goes to, and not the key: two settings.

        Whoever can write a file into the working directory must not be able to have a key sent to
        a host of theirs, so such a host gets no key but its own.
        """
        return host in self._from_env_file and key not in self._from_env_file

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
        file_values = file_values or {}
        dotenv, faults = read_env_file(env_file)
        faults += [*proxy_faults(variables), *host_faults(variables, dotenv)]
        values, origins = _gather(cls, overrides or {}, variables, dotenv, file_values)
        for name in _KEYS:
            redact.add(str(values.get(name, "")).strip())
        settings = None
        try:
            settings = cls(**values)
            settings._from_env_file = frozenset(
                name for name, origin in origins.items() if origin.endswith(_IN_ENV_FILE)
            )
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


def settings_table() -> list[tuple[str, str, str]]:
    """Return (variables or option, meaning, default) of every setting, for the docs."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, bool):
            shown = str(default).lower()
        else:
            shown = "" if default in (None, ()) else str(default)
        rows.append((str(source_of(Settings, name)), field.description or "", shown))
    return rows


def _gather(
    model: type[BaseModel],
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str],
    file_values: Mapping[str, object],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value that wins for each setting, and the name of the place it came from."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name in model.model_fields:
        source = source_of(model, name)
        is_key = name in _KEYS
        candidates = [(overrides.get(name), source.option or name)]
        for variables, place in ((environ, ""), (dotenv, _IN_ENV_FILE)):
            candidates += [
                (
                    variables.get(variable) if is_key else variables.get(variable) or None,
                    f"{variable}{place}",
                )
                for variable in source.variables
            ]
        if name in FileSettings.model_fields:
            candidates.append((file_values.get(name), f"{name} in the configuration file"))
        for value, origin in candidates:
            if value is not None:
                values[name], origins[name] = value, origin
                break
    return values, origins
