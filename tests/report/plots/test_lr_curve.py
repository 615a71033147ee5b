import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from toolkit.core.arrays import Floats
from toolkit.core.trials.lr_range_test import Suggestion, geometric_rates
from toolkit.report.plots.lr_curve import learning_rate_curve

pytestmark = pytest.mark.train  # a picture takes a second

RATES = geometric_rates(1e-6, 1, 60)
SUGGESTION = Suggestion(rate=1e-3, steepest=1e-3, lowest=1e-1, diverged_at=0.5)
SUGGESTED, SMOOTH = (213, 94, 0), (0, 114, 178)


def losses() -> Floats:
    found: Floats = 0.7 - 0.5 / (1 + np.exp(-3 * (np.log10(RATES) + 3)))
    found[RATES >= 0.5] = [*np.geomspace(10, 1e6, int((RATES >= 0.5).sum()) - 1), np.nan]
    return found


def drawn(path: Path, suggestion: Suggestion | None, seen: Floats) -> npt.NDArray[np.uint8]:
    learning_rate_curve(path, RATES, seen, suggestion)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def columns(picture: npt.NDArray[np.uint8], colour: tuple[int, int, int], share: float) -> npt.NDArray[np.int64]:
    """The columns of which the colour fills a share of the height."""
    return np.flatnonzero((picture == np.array(colour, np.uint8)).all(axis=2).mean(axis=0) > share)


def test_the_suggestion_stands_at_its_place_on_the_axis(tmp_path: Path) -> None:
    places = []
    for rate in (1e-5, 1e-3, 1e-1):
        picture = drawn(tmp_path / "lr.png", Suggestion(rate, rate, 1e-1, None), losses())
        places.append(float(columns(picture, SUGGESTED, 0.7).mean()))
    assert picture.shape[:2] == (624, 1080)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=2)
    assert 100 < places[0] < places[2] < 1000


def test_without_a_suggestion_only_the_curve_is_drawn(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "lr.png", None, losses())
    assert not len(columns(picture, SUGGESTED, 0))
    assert len(columns(picture, SMOOTH, 0)) > 500


def test_divergence_does_not_flatten_the_curve(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "lr.png", SUGGESTION, losses())
    rows = np.flatnonzero((picture[:, 150:950] == np.array(SMOOTH, np.uint8)).all(axis=2).any(axis=1))
    assert np.ptp(rows) > 250


@pytest.mark.parametrize("seen", [np.full(60, np.nan), np.full(60, 0.5), np.r_[0.5, np.full(59, np.nan)]])
def test_any_losses_can_be_drawn(tmp_path: Path, seen: Floats) -> None:
    assert drawn(tmp_path / "lr.png", None, seen).shape == (624, 1080, 3)


def test_the_same_curve_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        learning_rate_curve(tmp_path / name, RATES, losses(), SUGGESTION)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    # No window system is needed.
    assert "matplotlib.figure" in sys.modules
    assert "matplotlib.pyplot" not in sys.modules
