import numpy as np
import pytest

from toolkit.core.views import VIEWS, View

SETS = pytest.mark.parametrize("views", VIEWS.values(), ids=list(VIEWS))
# Axes of an NHWC batch that each view turns round.
AXES = {"identity": (), "hflip": (2,), "vflip": (1,), "hvflip": (1, 2)}


def batch() -> np.ndarray:
    return np.random.default_rng(0).random((3, 5, 7, 2))


@SETS
def test_undoing_a_view_gives_the_batch_again(views: tuple[View, ...]) -> None:
    for view in views:
        assert np.array_equal(view.undo(view.apply(batch())), batch())
        assert np.array_equal(view.apply(view.undo(batch())), batch())


@SETS
def test_no_view_of_a_set_repeats_another(views: tuple[View, ...]) -> None:
    assert len({view.apply(batch()).tobytes() for view in views}) == len(views)
    assert len({view.name for view in views}) == len(views)


@SETS
def test_views_are_the_flips_that_their_names_say(views: tuple[View, ...]) -> None:
    for view in views:
        assert np.array_equal(view.apply(batch()), np.flip(batch(), AXES[view.name]))


@SETS
def test_the_plain_prediction_comes_first(views: tuple[View, ...]) -> None:
    assert views[0].name == "identity"


def test_sets_hold_what_they_are_called() -> None:
    names = {name: {view.name for view in views} for name, views in VIEWS.items()}
    assert names == {
        "none": {"identity"},
        "hflip": {"identity", "hflip"},
        "vflip": {"identity", "vflip"},
        "flips": {"identity", "hflip", "vflip", "hvflip"},
    }


@SETS
def test_the_mean_over_a_set_turns_with_the_image(views: tuple[View, ...]) -> None:
    uneven = np.random.default_rng(1).random((5, 7, 2))

    def predict(images: np.ndarray) -> np.ndarray:
        """Stands for a network: what it says of a pixel depends on its place."""
        return np.cumsum(images * uneven, axis=1) + np.cumsum(images, axis=2)

    def averaged(images: np.ndarray) -> np.ndarray:
        return np.mean([view.undo(predict(view.apply(images))) for view in views], axis=0)

    for view in views:
        np.testing.assert_allclose(averaged(view.apply(batch())), view.apply(averaged(batch())), rtol=1e-12)
