import numpy as np

from toolkit.files.experiment.history import Epoch
from toolkit.report.plots.curve_lines import Line, TrainedFold, lines_on_top

NOTHING = np.nan


def test_a_line_counts_the_later_ones_that_lie_on_it_in_each_stage() -> None:
    low, high = np.array([[0.2, 0.3, 0.4]]), np.array([[0.2, 0.3, 0.9]])
    assert lines_on_top([low, high, low], [0, 2, 3]).tolist() == [[2, 1], [1, 0], [0, 0]]


def test_nearly_equal_lines_lie_on_each_other_and_missing_values_are_no_difference() -> None:
    lines = [np.array([[0.0, 1.0]]), np.array([[0.005, 0.995]]), np.array([[0.0, NOTHING]]), np.array([[0.1, 1.0]])]
    assert lines_on_top(lines, [0, 2]).ravel().tolist() == [2, 1, 0, 0]
    assert lines_on_top([np.full((1, 2), NOTHING)] * 2, [0, 2]).ravel().tolist() == [0, 0]


def test_lines_of_other_numbers_of_folds_are_not_compared() -> None:
    assert lines_on_top([np.zeros((1, 2)), np.zeros((2, 2))], [0, 2]).ravel().tolist() == [0, 0]


def test_values_stand_at_the_epochs_of_their_stage() -> None:
    stages = [[Epoch(0, 0.1, 0.5, 0.5, {}, 7, 1.0)], [Epoch(0, 0.2, 0.5, 0.5, {}, 7, 1.0)]]
    line = Line("#000000", [TrainedFold(0, "fold 0", stages, [0, 0])], lambda epoch: epoch.learning_rate, [0, 3, 4])
    np.testing.assert_array_equal(line.values(), [[0.1, NOTHING, NOTHING, 0.2]])
