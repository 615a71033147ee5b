import logging
from collections.abc import Iterator
from typing import Any

import pytest

from toolkit.errors import StorageError
from toolkit.learning.runtime import (
    ahead_on_gpu,
    choose_precision,
    compiled,
    copied_ahead,
    parse_precision,
    steps_between_reads,
    tf,
)

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


def test_batches_are_copied_ahead_in_order() -> None:
    made: list[int] = []

    def batches() -> Iterator[Any]:
        for number in range(4):
            made.append(number)
            yield tf.constant([number]), tf.constant([[number + 0.5]])

    found = []
    for images, targets in copied_ahead(batches(), "/device:CPU:0"):
        found.append((int(images[0]), float(targets[0, 0])))
        assert len(made) == min(len(found) + 1, 4)
    assert found == [(number, number + 0.5) for number in range(4)]


def test_without_a_gpu_results_are_read_after_every_step_and_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    batches = [(1,), (2,)]
    assert list(ahead_on_gpu(batches)) == batches
    assert steps_between_reads() == 1
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    assert steps_between_reads() > 1


def test_a_graph_may_have_any_batch() -> None:
    traced: list[Any] = []

    def total(values: Any) -> Any:
        traced.append(values.shape)
        return tf.reduce_sum(values)

    one, two = compiled(total), compiled(total, batch_axes=2)
    assert [float(one(tf.ones((size, 2)))) for size in (1, 5)] == [2, 10]
    assert [float(two(tf.ones((1, size, 2)))) for size in (3, 4)] == [6, 8]
    assert [shape.as_list() for shape in traced] == [[None, 2], [None, None, 2]]
