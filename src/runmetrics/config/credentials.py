"""Finding the two keys: environment, mounted file, AWS Secrets Manager, `wandb login`.

The first source that has a key wins. A source that has none gives its reason, and when all have
none the error lists them. A source that refuses us (AWS access denied, say) ends the search: to go
on would hide the fault and might use a key that nobody meant.
"""

import contextlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from runmetrics.config.addresses import checked_url
from runmetrics.config.aws import fetch_key
from runmetrics.config.aws_errors import AwsUnusable, SecretAbsent
from runmetrics.config.rules import clean_key
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.logs import excerpt, redact
from runmetrics.small_file import read_text

_log = logging.getLogger(__name__)

WANDB_PUBLIC_URL = "https://api.wandb.ai"
_MOST_BYTES_OF_A_KEY = 65_536


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and where it was found ("WANDB_API_KEY", "AWS secret wandb/api-key", "wandb login").

    `base_url` is the host recorded with the key: only `wandb login` records one, and only with
    its key may it be used.
    """

    value: SecretStr
    source: str
    base_url: str | None = None


class _NotHere(Exception):  # noqa: N818 - no failure: the next source is asked
    """This source has no key; the text says why."""


_Source = Callable[[], ApiKey]


def find_wandb_key(settings: Settings, deadline: Deadline) -> ApiKey:
    """Return the W&B key, read anew by each call, so that a rotated one is found.

    Raises ConfigurationError where no source has one, and what `fetch_key` raises.
    """
    fix = f"set WANDB_API_KEY, or store the key as the AWS secret {settings.wandb_secret}"
    sources: list[_Source] = [
        lambda: _from_environment("WANDB_API_KEY", settings.wandb_api_key),
        lambda: _from_file("WANDB_API_KEY_FILE", settings.wandb_api_key_file),
        lambda: _from_aws("WANDB_API_KEY", settings, "wandb_secret", deadline),
    ]
    if settings.host_is_of_env_file("base_url", "wandb_api_key"):
        fix, sources = _of_env_file("WANDB_BASE_URL", "WANDB_API_KEY")
    # `wandb login` keeps a key for each host, and gives it for no other.
    sources.append(lambda: _from_wandb_login(settings))
    return _first("W&B API", f"{fix}, or run `wandb login`", sources)


def find_datadog_key(settings: Settings, deadline: Deadline) -> ApiKey:
    """Return the Datadog key, read anew by each call; raises what `find_wandb_key` does."""
    fix = f"set DD_API_KEY, or store the key as the AWS secret {settings.datadog_secret}"
    sources: list[_Source] = [
        lambda: _from_environment("DD_API_KEY", settings.dd_api_key),
        lambda: _from_file("DD_API_KEY_FILE", settings.dd_api_key_file),
        lambda: _from_aws("DD_API_KEY", settings, "datadog_secret", deadline),
    ]
    if settings.host_is_of_env_file("dd_url", "dd_api_key"):
        fix, sources = _of_env_file("DD_URL", "DD_API_KEY")
    return _first("Datadog API", fix, sources)


def find_datadog_application_key(settings: Settings) -> ApiKey:
    """Return the application key, which a person or a pipeline has and the collector needs not."""
    fix = "set DD_APP_KEY to one that may write dashboards, monitors and metrics metadata"
    sources: list[_Source] = [lambda: _from_environment("DD_APP_KEY", settings.dd_app_key)]
    if settings.host_is_of_env_file("dd_url", "dd_app_key"):
        fix, sources = _of_env_file("DD_URL", "DD_APP_KEY")
    return _first("Datadog application", fix, sources)


def _of_env_file(host: str, key: str) -> tuple[str, list[_Source]]:
    """Return fix and sources where `.env` names the host alone: no source may give it a key."""

    def nothing() -> ApiKey:
        raise _NotHere(f"{host} in .env: gets no key from elsewhere")

    return f"set {host} in the environment, or {key} in .env too", [nothing]


def _first(service: str, fix: str, sources: list[_Source]) -> ApiKey:
    reasons = []
    for source in sources:
        try:
            key = source()
        except _NotHere as absent:
            reasons.append(str(absent))
        else:
            redact.add(key.value.get_secret_value())
            return key
    tried = "; ".join(reasons)
    raise ConfigurationError(f"no {service} key found ({tried})", fix, faults=reasons)


def _from_environment(variable: str, key: SecretStr | None) -> ApiKey:
    if key is None:
        raise _NotHere(f"{variable}: is not set")
    return ApiKey(key, variable)


def _from_file(variable: str, path: Path | None) -> ApiKey:
    if path is None:
        raise _NotHere(f"{variable}: is not set")
    try:
        key = clean_key(read_text(path, _MOST_BYTES_OF_A_KEY))
    except OSError as exc:
        reason = f"cannot be read ({exc.strerror})"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    except ValueError as exc:
        reason = str(exc)
    else:
        return ApiKey(SecretStr(key), variable)
    raise ConfigurationError(f"{variable}: {path} {reason}", "put the key alone into that file")


def _from_aws(variable: str, settings: Settings, setting: str, deadline: Deadline) -> ApiKey:
    secret: str = getattr(settings, setting)
    source = f"AWS secret {secret}"
    try:
        return ApiKey(SecretStr(fetch_key(secret, variable, deadline)), source)
    except SecretAbsent as absent:
        raise _NotHere(f"{source}: {absent}") from None
    except AwsUnusable as error:
        if setting in settings.model_fields_set:
            raise
        # Nobody asked for AWS: a profile that serves other ends must not keep us from the key.
        _log.warning(f"{source} was not asked for {variable}: {error}")
        raise _NotHere(f"{source}: {error.cause}") from None


def _from_wandb_login(settings: Settings) -> ApiKey:
    """Return the key and host that the official client keeps in netrc and its settings files.

    The client is imported here alone: it costs most of a second.
    """
    said = io.StringIO()
    try:
        # A netrc that the client cannot parse is quoted, passwords and all.
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            found = _login_state(settings.base_url)
    except Exception as exc:  # noqa: BLE001 - whatever ails the client, it gives us no key
        raise _NotHere(f"wandb login: cannot be read ({excerpt(str(exc), 200)})") from None
    if isinstance(found, str):
        unread = "WARNING" in said.getvalue()
        trouble = " (the client could not read all that it recorded)" if unread else ""
        raise _NotHere(f"wandb login: no key recorded for {found}{trouble}")
    host, text = found
    try:
        url = checked_url(host, allow_insecure_http=settings.allow_insecure_http)
        return ApiKey(SecretStr(clean_key(text)), "wandb login", base_url=url)
    except ValueError as exc:
        raise ConfigurationError(f"what `wandb login` recorded {exc}", "log in again") from None


def _login_state(chosen_host: str | None) -> tuple[str, str] | str:
    """(host, key) as `wandb login` recorded them, or the host, by both names, that it has none for.

    Since 0.31 the client's default host is another name of the public one, and a key recorded for
    the public one is given for it: then the host that really holds the key is taken.
    """
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib import wbauth

    recorded = wandb_setup.singleton().settings
    host = chosen_host or recorded.base_url
    key = wbauth.read_netrc_auth(host=host)
    default = type(recorded).model_fields["base_url"].default
    hosted = not chosen_host and host == default
    if key and hosted:
        public = wbauth.read_netrc_auth(host=WANDB_PUBLIC_URL)
        host = WANDB_PUBLIC_URL if key == public else host
    if not key and recorded.api_key and wbauth.HostUrl(host).is_same_url(recorded.base_url):
        key = recorded.api_key
    names = dict.fromkeys([WANDB_PUBLIC_URL, host] if hosted else [host])
    return (host, key) if key else " or ".join(names)
