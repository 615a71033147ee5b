"""The option --competition."""

from toolkit.config.data.competitions import Competition, find_competition
from toolkit.config.yaml.named_calls import UnknownNameError
from toolkit.errors import ConfigError, MissingFileError, not_valid


def named_competition(name: str | None) -> Competition | None:
    """The competition of `--competition`: a preset or the path of a YAML file; None if it is not given.

    Raises:
        ConfigError: there is no such preset, or the file is not valid.
        MissingFileError: there is no such file.
    """
    if name is None:
        return None
    try:
        return find_competition(name)
    except UnknownNameError as error:
        raise ConfigError(f"--competition: {not_valid(error.received, error.allowed)}") from error
    except MissingFileError as error:
        raise MissingFileError(f"--competition: {error.message}", error.advice) from error
