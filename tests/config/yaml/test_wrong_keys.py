import pytest

from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.yaml.wrong_keys import _ELSEWHERE, wrong_key


@pytest.mark.parametrize(
    ("inside", "name", "told"),
    [
        ((), "epochs", "did you mean stages.0.epochs?"),
        ((), "sample_submission", "did you mean data.sample_submission?"),
        ((), "overlap", "did you mean tiles.overlap?"),
        ((), "bacth", "did you mean 'batch'?"),
        ((), "path", "write data.images and data.masks"),
        ((), "hyperparameters", "write lr, batch, loss and optimizer at the top, and epochs in stages"),
        ((), "unheard_of", "no key has a similar name"),
        (("stages", 0), "architecture", "write it at the top of the file"),
        (("data",), "maks", "did you mean 'masks'?"),
    ],
)
def test_a_long_list_of_keys_is_not_printed(inside: tuple[str | int, ...], name: str, told: str) -> None:
    assert wrong_key(Config, inside, name) == f"{name!r} is not valid; {told}"


def test_a_short_list_of_keys_is() -> None:
    assert "choose from members, weights, " in wrong_key(EnsembleConfig, (), "wieghts", ("extends",))


def test_words_of_other_programs_are_no_keys_here() -> None:
    assert not set(_ELSEWHERE) & set(Config.model_fields)
