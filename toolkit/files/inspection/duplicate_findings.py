"""Findings about duplicates and near duplicates, across folds and between training and test images."""

from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.core.arrays import Integers
from toolkit.core.images.duplicates import Groups, equal_groups, near_duplicate_groups
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts

_GROUPED = "Set group_near_duplicates: true to keep each group in one fold."


def copies(facts: Sequence[ImageFacts], folds: Integers | None) -> Iterator[DataFinding]:
    """Images with the same pixels, and those of them whose masks differ."""
    groups = _exact(facts)
    if not groups:
        return
    yield _finding("exact duplicates", "images are copies of each other", groups, facts, folds)
    contradicting = tuple(group for group in groups if len({facts[place].drawn for place in group}) > 1)
    if contradicting:
        message = f"{len(contradicting)} groups of exact copies have different masks"
        ids = tuple(facts[place].image_id for group in contradicting for place in group)
        yield DataFinding("warning", "exact duplicates", message, ids, details=_lines(contradicting, facts))


def near_copies(facts: Sequence[ImageFacts], folds: Integers | None) -> Iterator[DataFinding]:
    """Images that look alike, but have different pixels."""
    groups = tuple(
        group
        for group in near_duplicate_groups(np.stack([one.thumbnail for one in facts]))
        if len({facts[place].picture for place in group}) > 1
    )
    if groups:
        yield _finding("near duplicates", "images look alike", groups, facts, folds)


def shared_with_test(facts: Sequence[ImageFacts], test: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """Training images that are also test images, or look like test images."""
    both = [*facts, *test]
    exact = _across(_exact(both), len(facts))
    if exact:
        ids = tuple(both[place].image_id for group in exact for place in group if place < len(facts))
        message = f"{len(ids)} of {len(facts)} training images are also test images"
        yield DataFinding("warning", "train and test", message, ids, details=_lines(exact, both))
    near = _across(near_duplicate_groups(np.stack([one.thumbnail for one in both])), len(facts))
    pictures = {one.picture for one in test}
    ids = tuple(
        both[place].image_id
        for group in near
        for place in group
        if place < len(facts) and both[place].picture not in pictures
    )
    if ids:
        message = f"{len(ids)} of {len(facts)} training images look like test images"
        yield DataFinding("warning", "train and test", message, ids, details=_lines(near, both))


def like_extra(facts: Sequence[ImageFacts], extra: Sequence[ImageFacts], origin: str) -> Iterator[DataFinding]:
    """Extra images, which every fold trains on, that look like images of the folds or the hold-out."""
    if not facts or not extra:
        return
    both = [*extra, *facts]
    near = _across(near_duplicate_groups(np.stack([one.thumbnail for one in both])), len(extra))
    ids = tuple(both[place].image_id for group in near for place in group if place < len(extra))
    if ids:
        message = (
            f"{len(ids)} of {len(extra)} images of {origin} look like images that folds hold out; scores are too high "
            "if networks have seen the images that they are scored on"
        )
        yield DataFinding("warning", "extra and folds", message, ids, details=_lines(near, both))


def _exact(facts: Sequence[ImageFacts]) -> Groups:
    """Groups of images with the same pixels, without constant images, which need not be the same picture."""
    return equal_groups([one.picture for one in facts], np.array([one.is_constant for one in facts], np.bool_))


def _across(groups: Groups, count: int) -> Groups:
    """The groups with images on both sides of a position."""
    return tuple(group for group in groups if min(group) < count <= max(group))


def _finding(check: str, what: str, groups: Groups, facts: Sequence[ImageFacts], folds: Integers | None) -> DataFinding:
    ids = tuple(facts[place].image_id for group in groups for place in group)
    message = f"{len(ids)} of {len(facts)} {what}, in {len(groups)} group{'s' * (len(groups) > 1)}"
    if folds is None:
        return DataFinding("warning", check, message, ids, _GROUPED, _lines(groups, facts))
    straddling = tuple(group for group in groups if len(set(folds[list(group)].tolist())) > 1)
    if not straddling:
        message += "; each group is in one fold"
        return DataFinding("note", check, message, ids, details=_lines(groups, facts))
    message += (
        f"; {len(straddling)} of the groups are in several folds, so networks are scored on images that they have seen"
    )
    return DataFinding("warning", check, message, ids, _GROUPED, _lines(straddling, facts))


def _lines(groups: Groups, facts: Sequence[ImageFacts]) -> tuple[str, ...]:
    return tuple(" = ".join(facts[place].image_id for place in group) for group in groups)
