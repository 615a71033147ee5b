"""A key of a configuration with the reason for its value."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A key of config.yaml, its value, the reason, and an alternative if there is one.

    If `value` is None, only the texts are written, as a comment; with `null` the key is written with null.
    """

    key: tuple[str, ...]
    value: Any
    why: str
    other: str = ""
    null: bool = False

    @property
    def has_value(self) -> bool:
        """Whether the key is written, not only the texts."""
        return self.value is not None or self.null
