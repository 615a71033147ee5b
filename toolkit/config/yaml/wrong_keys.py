"""What to write instead of a key that is not known: a near name, its place, or what other programs' words are here."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.errors import nearest, not_valid

_LISTED = 15
_PLACES = 2

_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("batch_size", "batchsize"), "write batch"),
    **dict.fromkeys(("learning_rate", "learning_rates"), "write lr"),
    **dict.fromkeys(("input_shape", "input_size", "image_size", "img_size"), "write shape: [height, width, channels]"),
    **dict.fromkeys(("model", "model_name", "network", "get_model", "type"), "write architecture"),
    **dict.fromkeys(("image_preprocessing", "process_patch", "preprocessing"), "write transforms"),
    **dict.fromkeys(("generator", "dataset"), "write data: {images: …, masks: …}, or data: {source: …}"),
    **dict.fromkeys(("path", "data_path", "train_path"), "write data.images and data.masks"),
    **dict.fromkeys(("data_augmentation", "data_augmentation_params", "augment"), "write augmentation"),
    **dict.fromkeys(("num_classes", "n_classes", "nb_classes"), "write classes"),
    **dict.fromkeys(("n_folds", "num_folds", "nfolds", "k_folds", "kfold"), "write folds_count"),
    "test_path": "write data.test",
    "hyperparameters": "write lr, batch, loss and optimizer at the top, and epochs in stages",
    "output_shape": "leave it out: masks have the size of the input",
    "name": "leave it out: an experiment has the name of its folder",
    "clipnorm": "write optimizer: {Adam: {clipnorm: …}}, or global_clipnorm",
    "clipvalue": "write optimizer: {Adam: {clipvalue: …}}",
    "global_clipnorm": "write optimizer: {Adam: {global_clipnorm: …}}",
    "loss_kwargs": "write the arguments in loss, for example loss: {Huber: {delta: 0.5}}",
    "optimizer_kwargs": "write the arguments in optimizer, for example optimizer: {SGD: {momentum: 0.9}}",
    "primary_metric_mode": "leave it out: the metric knows whether larger is better",
    "steps_per_epoch": "leave it out: an epoch shows every image once",
    "pretrained": "write encoder_weights: imagenet or null",
    "backbone_trainable": "write freeze_encoder",
    "validation_split": "write validationSplit",
    "from_model": "write initial_weights in a stage",
    "threshold": "leave it out: tk tune finds it, or give --threshold to tk submit",
}
"""Words of other programs at the top of a configuration, and what to do with them here."""


def wrong_key(model: type[BaseModel], inside: KeyPath, name: str, further: tuple[str, ...] = ()) -> str:
    """The text about an unknown key.

    Args:
        model: of the whole value.
        inside: key path of the mapping in it that has the key.
        name: the key.
        further: keys that are allowed besides those of the model.
    """
    keys = [*keys_at(model, inside), *further]
    if len(keys) <= _LISTED:
        return not_valid(name, keys)
    return f"{name!r} is not valid; {_instead(model, inside, name, keys)}"


def _instead(model: type[BaseModel], inside: KeyPath, name: str, keys: list[str]) -> str:
    if not inside and name in _ELSEWHERE:
        return _ELSEWHERE[name]
    places = list(_places(model, name))
    if inside and name in model.model_fields:
        return "write it at the top of the file"
    if not inside and places:
        return f"did you mean {' or '.join(places[:_PLACES])}?"
    near = nearest(name, keys)
    return f"did you mean {near!r}?" if near else "no key has a similar name"


def keys_at(model: type[BaseModel], key: KeyPath) -> list[str]:
    """The keys of a nested model."""
    for part in key:
        if not isinstance(part, int):
            model = next(_models(model.model_fields[part].annotation))
    return list(model.model_fields)


def _places(model: type[BaseModel], name: str) -> Iterator[str]:
    """Where a key could be that is not at the top: `stages.0.epochs`."""
    for key, field in model.model_fields.items():
        for nested in _models(field.annotation):
            if name in nested.model_fields:
                yield f"{key}.0.{name}" if _is_list(field.annotation) else f"{key}.{name}"
                break


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is tuple


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
