"""Networks of an experiment as Keras models."""

from typing import Any

from toolkit.errors import ConfigError, out_of_range
from toolkit.files.experiment.fitted import find_fitted, first_networks
from toolkit.files.experiment.members import Member, refuse_ensemble
from toolkit.messages import Progress


def keras_model_of(member: Member, fold: int, stage: int | None, repeat: int, progress: Progress) -> Any:
    """The Keras model of a fold, see `Experiment.load_model`.

    Raises:
        ConfigError: there is no such fold, stage or seed, or the member is an ensemble.
        NotReadyError: the fold is not trained.
    """
    refuse_ensemble(member.experiment, "Keras model")
    fitted = first_networks(find_fitted(member, folds=[fold], stage=stage))
    if not 0 <= repeat < fitted.count:
        raise ConfigError(f"repeat: {out_of_range('seed', repeat, fitted.count)}")
    from toolkit.learning.predicting.exporting.keras_model import keras_model  # noqa: PLC0415 # TensorFlow is slow to import

    return keras_model(fitted, fitted.weights[repeat], progress)
