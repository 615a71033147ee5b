import logging

import pytest

from toolkit.errors import StorageError
from toolkit.learning.runtime import choose_precision, parse_precision, tf

pytestmark = pytest.mark.tf


def test_warnings_of_tensorflow_for_its_programmers_are_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    @tf.function
    def twice(values: object) -> object:
        return values * 2

    for size in range(1, 9):  # it warns from the fifth size on
        twice(tf.zeros(size))
    assert capfd.readouterr().err == ""
    assert logging.getLogger("tensorflow").level == logging.ERROR


def test_keras_is_the_legacy_one() -> None:
    assert tf.keras.Model.__module__.startswith("tf_keras.")


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_an_explicit_precision_is_used_and_read_back_from_resolved_yaml(precision: str) -> None:
    assert choose_precision(precision) == parse_precision(precision) == precision


def test_auto_chooses_a_known_precision() -> None:
    assert choose_precision("auto") in ("float32", "bfloat16", "float16")
    with pytest.raises(StorageError, match=r"resolved\.yaml: precision: 'auto' is not valid"):
        parse_precision("auto")
