"""Checks of keys about folds that are valid by themselves but contradict each other."""

from toolkit.config.data.folds import CLASSES, COVERAGE, spread
from toolkit.config.models import Config
from toolkit.config.yaml.named_calls import Problem


def _columns(config: Config) -> list[tuple[str, str]]:
    """The columns of `data.metadata` that folds depend on, each with the key that names it."""
    columns = [("stratified", name) for name in spread(config.stratified) if name not in (COVERAGE, CLASSES)]
    return [*columns, ("groups", config.groups)] if isinstance(config.groups, str) else columns


def problems_of_folds(config: Config) -> list[Problem]:
    """All contradictions, each at the key that should change."""
    found: list[Problem] = []

    def tell(key: str, text: str) -> None:
        found.append(((key,), ValueError(text), None))

    if config.data.metadata is None and config.data.source is None:
        for key, column in _columns(config):
            tell(key, f"the column {column!r} requires data.metadata, which is not set")
    if config.folds is not None:
        drawn = ("validationSplit", "testSplit", "testSplitSeed")
        given = [key for key in drawn if getattr(config, key) is not None]
        given += ["stratified"] * (config.stratified is not True)
        for key in given:
            tell(key, f"the folds file already defines the folds; remove {key}, or folds")
        return found
    if config.folds_count == 1 and config.validationSplit is None:
        tell(
            "folds_count",
            "folds_count: 1 requires validationSplit, the share of the images that it holds out (for example 0.2)",
        )
    if config.folds_count > 1 and config.validationSplit is not None:
        tell("validationSplit", f"requires folds_count: 1, received folds_count: {config.folds_count}")
    if config.testSplitSeed is not None and config.testSplit is None:
        tell("testSplitSeed", "requires testSplit, the share of the images in the hold-out (for example 0.1)")
    return found
