"""Keys about folds that are sound each for itself, but do not fit together."""

from toolkit.config.data.folds import CLASSES, COVERAGE, spread
from toolkit.config.models import Config
from toolkit.config.yaml.named_calls import Problem


def _columns(config: Config) -> list[tuple[str, str]]:
    """The columns of `data.metadata` that folds are made by, each with the key that names it."""
    columns = [("stratified", name) for name in spread(config.stratified) if name not in (COVERAGE, CLASSES)]
    return [*columns, ("groups", config.groups)] if isinstance(config.groups, str) else columns


def problems_of_folds(config: Config) -> list[Problem]:
    """What does not fit together, each with the key that should change."""
    found: list[Problem] = []

    def tell(key: str, text: str) -> None:
        found.append(((key,), ValueError(text), None))

    if config.data.metadata is None and config.data.source is None:
        for key, column in _columns(config):
            tell(key, f"there is no data.metadata that could have the column {column!r}")
    if config.folds is not None:
        drawn = ("validationSplit", "testSplit", "testSplitSeed")
        given = [key for key in drawn if getattr(config, key) is not None]
        given += ["stratified"] * (config.stratified is not True)
        for key in given:
            tell(key, f"the file that folds names says who is held out: leave out {key}, or folds")
        return found
    if config.folds_count == 1 and config.validationSplit is None:
        tell("folds_count", "one fold needs validationSplit, the share of the images that it holds out, such as 0.2")
    if config.folds_count > 1 and config.validationSplit is not None:
        tell("validationSplit", f"goes with folds_count: 1; each of {config.folds_count} folds holds out its part")
    if config.testSplitSeed is not None and config.testSplit is None:
        tell("testSplitSeed", "there is no hold-out that it could be the seed of: add testSplit, such as 0.1")
    return found
