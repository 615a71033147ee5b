import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from toolkit.learning.training.shared_network import SharedNetwork

pytestmark = pytest.mark.train


def test_steps_compiled_with_other_class_weights_are_freed(lesson: Callable[..., Any]) -> None:
    """Balanced weights differ from fold to fold; each would leave an optimizer and a graph behind."""
    made = lesson()
    shared = SharedNetwork(made.config, {})
    shared.begin_fold(0, 0)
    first = weakref.ref(shared.begin_stage(made.stages[0], (1.0,)))
    assert shared.begin_stage(made.stages[0], (1.0,)) is first()
    second = shared.begin_stage(made.stages[0], (2.0,))
    gc.collect()
    assert first() is None
    assert shared.begin_stage(made.stages[0], (2.0,)) is second


def test_initial_weights_of_a_fold_do_not_depend_on_the_folds_before(lesson: Callable[..., Any]) -> None:
    """The first fold's network is built with its weights; later folds only take the weights of another one."""
    config = lesson().config
    alone, after_another = SharedNetwork(config, {}), SharedNetwork(config, {})
    after_another.begin_fold(0, 3)
    first = after_another.network.model.get_weights()
    for shared in (alone, after_another):
        shared.begin_fold(1, 3)
    weights = [shared.network.model.get_weights() for shared in (alone, after_another)]
    assert all(map(np.array_equal, *weights))
    assert not all(map(np.array_equal, first, weights[0]))
