"""Which engine computes the networks of an experiment: the rule of `auto`, and the law that maps must agree."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from toolkit.config.training.execution import EngineName
from toolkit.files.disk.digests import file_digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.predictions.engine_checks import Agreement, read_checks, write_checks
from toolkit.learning.engines.openvino_package import installed_version, require_openvino
from toolkit.learning.runtime import has_gpu
from toolkit.messages import Progress

PIXELS_WORTH_CONVERTING = 4_000_000
"""From this many pixels on, of images that a fold holds out at the size of the network, `auto` takes OpenVINO.

Compiling and comparing each set of weights takes as long as OpenVINO saves with some 250 images of 128×128 pixels.
"""

Compare = Callable[[Path, Sequence[str]], Agreement]
"""Compares OpenVINO with TensorFlow for a weight file and the ids of some images."""


def engine_by_auto(made_by: Iterable[EngineName], pixels: int) -> tuple[EngineName, str]:
    """The engine that `auto` means, and why it is not that of earlier predictions.

    Args:
        made_by: the engines of the out-of-fold predictions that the experiment has.
        pixels: of the images that a fold holds out, at the size of the network.
    """
    made = set(made_by)
    if is_for_tensorflow(made, pixels):
        return "tensorflow", ""
    missing = "a GPU is used" if has_gpu() else "" if installed_version() else "OpenVINO is not installed"
    if not missing:
        return "openvino", ""
    return "tensorflow", f"{missing}, though it made the out-of-fold predictions" if made else ""


def is_for_tensorflow(made_by: Collection[EngineName], pixels: int) -> bool:
    """Whether `auto` means TensorFlow on every machine; arguments as for `engine_by_auto`."""
    return "tensorflow" in made_by or (not made_by and pixels < PIXELS_WORTH_CONVERTING)


def engine_that_agrees(
    experiment: Experiment,
    weights: Mapping[Path, Sequence[str]],
    compare: Compare,
    progress: Progress,
    *,
    is_locked: bool = True,
) -> EngineName:
    """OpenVINO if its maps agree with those of TensorFlow for all weights; otherwise TensorFlow, which is said.

    Each set of weights is compared once, and the result is kept in the experiment.

    Args:
        experiment: whose networks are to be computed.
        weights: the weight files, each with the ids of images to compare.
        compare: does it.
        progress: says why OpenVINO is not used.
        is_locked: whether the caller holds the lock of the experiment; otherwise nothing is written.

    Raises:
        ConfigError: OpenVINO is not installed.
    """
    require_openvino()
    version = installed_version()
    checks = read_checks(experiment.engine_checks, version)
    engine: EngineName = "openvino"
    for path, ids in weights.items():
        key = file_digest(path)
        if key not in checks:
            checks[key] = compare(path, ids)
            if is_locked:
                write_checks(experiment.engine_checks, version, checks)
        if not checks[key].holds:
            where = path.relative_to(experiment.folder).parent
            progress.say(f"{experiment.name}, {where}: {checks[key].describe()}; TensorFlow predicts instead")
            engine = "tensorflow"
    return engine


def unfit(experiment: Experiment, weights: Iterable[Path]) -> bool:
    """Whether it is known that OpenVINO may not compute the network with some of these weights."""
    checks = read_checks(experiment.engine_checks, installed_version())
    return any(not checks[key].holds for key in map(file_digest, weights if checks else ()) if key in checks)
