import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from toolkit.learning.training.shared_network import SharedNetwork

pytestmark = pytest.mark.train


def test_steps_compiled_with_other_class_weights_are_freed(lesson: Callable[..., Any]) -> None:
    """Balanced weights differ from fold to fold; each would leave an optimizer and a graph behind."""
    made = lesson()
    shared = SharedNetwork(made.config, {})
    first = weakref.ref(shared.begin_stage(made.stages[0], (1.0,)))
    assert shared.begin_stage(made.stages[0], (1.0,)) is first()
    second = shared.begin_stage(made.stages[0], (2.0,))
    gc.collect()
    assert first() is None
    assert shared.begin_stage(made.stages[0], (2.0,)) is second
