"""The names that Keras gives to the functions of its losses and metrics, beside those of the classes."""

import re
from collections.abc import Iterable

_SHORT = {
    "kld": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "logcosh": "LogCosh",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}


def function_names(classes: Iterable[str]) -> dict[str, str]:
    """The class of each function: `mean_squared_error`, `mse` and `MSE` have `MeanSquaredError`."""
    known = set(classes)
    snake = {re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower(): name for name in known}
    short = {short: name for short, name in _SHORT.items() if name in known}
    return snake | short | {name.upper(): kind for name, kind in short.items() if "_" not in name}
