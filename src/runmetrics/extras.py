"""Optional dependencies: whether they are there, and what to type when they are not."""

from importlib.util import find_spec

from runmetrics.errors import ConfigurationError


def need(module: str, extra: str, what: str) -> None:
    """Raises ConfigurationError unless `module`, which `extra` brings, is installed.

    Nothing of it is imported but the packages that hold it.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # a package that holds it is not there
        found = None
    if found is None:
        raise ConfigurationError(f"{what} needs an extra", f'pip install "runmetrics[{extra}]"')
