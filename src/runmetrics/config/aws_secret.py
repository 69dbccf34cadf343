"""How a secret of AWS is named, and where the key is in what it holds."""

import json
import re
from dataclasses import dataclass

from runmetrics.config.rules import clean_key
from runmetrics.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SecretName:
    """A secret by name or ARN; `field`, `stage` and `version` may follow an ARN, as in ECS.

    ECS writes `ARN:json-key:version-stage:version-id`, each of the three possibly empty
    (docs.aws.amazon.com/AmazonECS, "secrets" of a container definition).
    """

    text: str

    @property
    def id(self) -> str:
        """The name, or the ARN alone."""
        return ":".join(self.text.split(":")[:7])

    @property
    def region(self) -> str:
        """The region of the ARN, "" where a name stands alone."""
        return self._part(3)

    @property
    def field(self) -> str:
        """The field of the JSON object that holds the key, "" for the usual ones."""
        return self._part(7)

    @property
    def version(self) -> dict[str, str]:
        """What GetSecretValue takes to choose a version."""
        chosen = {"VersionStage": self._part(8), "VersionId": self._part(9)}
        return {name: value for name, value in chosen.items() if value}

    def _part(self, index: int) -> str:
        """Return a part of the ARN, "" where there is none; a name holds no colon."""
        parts = self.text.split(":")
        return parts[index] if len(parts) > index else ""


def key_in(value: str | bytes, secret: SecretName, variable: str) -> str:
    """Return the key in a secret's value, cleaned.

    The value is the key itself, or a JSON object that holds it under the field that the ARN names,
    else under `variable`, `api_key`, `key` or `value`, in this order, whatever the case and the
    dashes; either of them may be binary UTF-8. Raises ConfigurationError, never with the value.
    """
    shown = f"AWS secret {secret.text}"
    fix = f"store the key as plain text, or as JSON under {secret.field or variable}"
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(f"{shown} is binary, but not UTF-8 text", fix) from None
    text = value.strip().strip("\ufeff").strip()
    if text.startswith("{"):
        text = _field_of(text, shown, secret.field, variable, fix)
    elif secret.field:
        raise ConfigurationError(f"{shown} is no JSON object with {secret.field}", fix)
    try:
        return clean_key(text)
    except ValueError as exc:
        raise ConfigurationError(f"{shown} {exc}", fix) from None


def _field_of(text: str, shown: str, named: str, variable: str, fix: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{shown} looks like JSON but is not", fix) from None
    fields = {re.sub(r"[-_ ]", "", name).lower(): field for name, field in content.items()}
    usual = (variable, "api_key", "key", "value")
    found = (
        [content.get(named)]
        if named
        else [fields.get(name.replace("_", "").lower()) for name in usual]
    )
    for field in found:
        if isinstance(field, str) and field.strip():
            return field
    places = named or f"{', '.join(usual[:-1])} or {usual[-1]}"
    raise ConfigurationError(f"{shown} is JSON without a text in {places}", fix)
