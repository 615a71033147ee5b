"""Configurations in which equal values are written in the same way, so that only differences in meaning differ."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from toolkit.config.metrics import read_metric
from toolkit.config.training.augmentation import FLIPS
from toolkit.config.training.callbacks import monitored_value, parse_callbacks
from toolkit.config.training.losses import parse_loss
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.config.yaml.closed_model import ClosedModel


def canonical(tree: Mapping[str, Any], plugins: Collection[str]) -> dict[str, Any]:
    """A configuration as plain data, with one spelling for each value; `plugins` are the names that plugins.py defines.

    Synonyms (`Fliplr`, `binary_accuracy`, `val_dice`) get one name, and arguments are sorted. Those of built-in
    callbacks and optimizers are left out if they have their default value or no effect. The order of transforms stays,
    because it matters. Values that cannot be read stay as they are.
    """
    found = {key: _value(key, value, plugins) for key, value in tree.items()}
    if isinstance(found.get("stages"), list | tuple):
        found["stages"] = tuple(
            {key: _value(key, value, plugins) for key, value in stage.items()} for stage in found["stages"]
        )
    return found


def _value(key: str, value: Any, plugins: Collection[str]) -> Any:
    spell = _SPELLINGS.get(key)
    if spell is None or value is None:
        return value
    try:
        return spell(value, plugins)
    except (ValueError, TypeError):  # written by another version, or with plugins that no longer exist
        return value


def _metric(value: Any, plugins: Collection[str]) -> Any:
    return read_metric(value).label


def _metrics(value: Any, plugins: Collection[str]) -> Any:
    return tuple(dict.fromkeys(read_metric(one).label for one in value))


def _transforms(value: Any, plugins: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        names = {name: FLIPS.get(name, name) if name not in plugins else name for name in value}
        is_unique = len(set(names.values())) == len(names)
        return {
            (names[name] if is_unique else name): _transform(arguments, plugins) for name, arguments in value.items()
        }
    if isinstance(value, list | tuple):
        return tuple(_transforms(one, plugins) for one in value)
    return FLIPS.get(value, value) if isinstance(value, str) and value not in plugins else value


def _transform(arguments: Any, plugins: Collection[str]) -> Any:
    if not isinstance(arguments, Mapping):
        return arguments
    if set(arguments) == {"p"}:
        return arguments["p"]
    return {
        key: _transforms(arguments[key], plugins) if key in ("transforms", "augmenters") else arguments[key]
        for key in sorted(arguments)
    }


def _callbacks(value: Any, plugins: Collection[str]) -> Any:
    specs = parse_callbacks(value, plugins)
    found = {spec.name: _callback(spec.arguments) for spec in sorted(specs, key=lambda spec: spec.name)}
    return value if len(found) < len(specs) else found


def _callback(arguments: ClosedModel | Mapping[str, Any]) -> dict[str, Any]:
    plain = _plain(arguments)
    if isinstance(arguments, ClosedModel):  # what an argument means to a callback of plugins.py is not known
        plain.pop("verbose", None)  # has no effect
        if isinstance(plain.get("monitor"), str):
            plain["monitor"] = monitored_value(plain["monitor"], "")
    return plain


def _optimizer(value: Any, plugins: Collection[str]) -> Any:
    call = parse_optimizer(value, plugins)
    arguments = _plain(call.arguments)
    return {call.name: arguments} if arguments else call.name


def _loss(value: Any, plugins: Collection[str]) -> Any:
    """Text without spaces; the terms stay in their order."""
    parse_loss(value, plugins)
    return "".join(value.split()) if isinstance(value, str) else value


def _plain(arguments: ClosedModel | Mapping[str, Any]) -> dict[str, Any]:
    plain = arguments.model_dump(exclude_defaults=True) if isinstance(arguments, ClosedModel) else dict(arguments)
    return dict(sorted(plain.items()))


_SPELLINGS: dict[str, Callable[[Any, Collection[str]], Any]] = {
    "primary_metric": _metric,
    "metrics": _metrics,
    "augmentation": _transforms,
    "transforms": _transforms,
    "callbacks": _callbacks,
    "extra_callbacks": _callbacks,
    "optimizer": _optimizer,
    "loss": _loss,
}
