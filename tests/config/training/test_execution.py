from toolkit.config.models import Config
from toolkit.config.training.execution import PLAIN, Compilation


def test_the_keys_of_a_configuration_say_how_the_step_is_compiled() -> None:
    tree = {"data": {"images": "a", "masks": "b"}, "stages": ({"epochs": 1},)}
    assert Config.model_validate(tree).compilation == Compilation("auto", 1)
    assert Config.model_validate({**tree, "xla": "off", "steps_per_call": 8}).compilation == Compilation("off", 8)
    assert Compilation("off", 1) == PLAIN
