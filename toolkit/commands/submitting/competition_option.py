"""Competitions that the command line names."""

from toolkit.config.data.competitions import Competition, find_competition
from toolkit.config.yaml.named_calls import UnknownNameError
from toolkit.errors import ConfigError, MissingFileError, not_valid


def named_competition(name: str | None) -> Competition | None:
    """The competition that `--competition` names: a preset, or the path of a YAML file; None where it is left out.

    Raises:
        ConfigError, MissingFileError: there is none, or its file is wrong.
    """
    if name is None:
        return None
    try:
        return find_competition(name)
    except UnknownNameError as error:
        raise ConfigError(f"--competition: {not_valid(error.received, error.allowed)}") from error
    except MissingFileError as error:
        raise MissingFileError(f"--competition: {error.message}", error.advice) from error
