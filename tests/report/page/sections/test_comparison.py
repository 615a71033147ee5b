from dataclasses import replace

from toolkit.report.page.blocks import Intervals, Prose, TableBlock
from toolkit.report.page.sections.comparison import comparison
from toolkit.report.page.values import ChangedImage, ComparedRow, ComparisonValues, PageValues


def test_differences_images_and_the_leaderboard_are_beside_the_scores(example_values: PageValues) -> None:
    rows = [
        ComparedRow("exp042", "experiment", "dice", 0.5, 0.1, 0.5, None, None, 0.45, None),
        ComparedRow("exp043", "experiment", "dice", 0.6, None, 0.6, 0.7, 0.65, None, None, (0.1, 0.05, 0.2), "better"),
    ]
    changed = [ChangedImage("image", 2, 0.1, 0.9)]
    found = ComparisonValues(
        rows, [("lr", ["0.1", "0.2"])], ["a note"], "exp043", changed, 5, 2, 3, ["public: trust CV"]
    )
    section = comparison(replace(example_values, comparison=found))
    assert section is not None
    scores, intervals, words, images, keys, *texts = section.blocks
    assert isinstance(scores, TableBlock)
    assert scores.rows[0] == ("exp042", "experiment", "dice", "0.5000 ± 0.1000", "0.5000", "–", "–", "0.4500", "")
    assert isinstance(intervals, Intervals)
    assert [(one.name, one.value, one.verdict) for one in intervals.intervals] == [("exp043", 0.1, "better")]
    assert words == Prose("Of 10 images, exp043 scores 5 better and 2 worse than exp042; 3 are equal.")
    assert isinstance(images, TableBlock)
    assert images.rows == [("image", "2", "0.1000", "0.9000", "+0.8000")]
    assert isinstance(keys, TableBlock)
    assert keys.columns == ("key", "exp042", "exp043")
    assert [text.text for text in texts] == ["public: trust CV", "a note"]  # type: ignore[union-attr]
    assert comparison(example_values) is None
