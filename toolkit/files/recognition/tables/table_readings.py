"""What a table of labels says beyond its columns: words for empty masks, images without a row, classes that overlap."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.errors import counted, listing
from toolkit.files.images.names.alike_ids import differences
from toolkit.files.masks.loose_cells import are_runs
from toolkit.files.recognition.recognising import Recognised
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable

_EXAMINED = 500


def strange_words(labels: RecognisedTable, form: Competition = PLAIN) -> tuple[str, ...]:
    """The words for an empty mask that a table of labels has and a competition does not read."""
    return tuple(word for word in labels.empty_words if word not in form.empty_cells)


def words_for_empty(sample: RecognisedTable | None, labels: RecognisedTable | None) -> dict[str, str]:
    """The keys of an own competition that read each word for an empty mask in its sample and its table of labels."""
    asked = () if sample is None else [word for word in sample.empty_words if word]
    given = () if labels is None else strange_words(labels)
    words = list(dict.fromkeys([*asked[:1], *given]))
    if not words:
        return {"empty": ""}
    return {"empty": words[0]} | ({"label_empty": words[1]} if words[1:] else {})


def unlisted_images(found: Recognised) -> int:
    """How many training images have no row in the table of labels."""
    return 0 if found.labels is None else len(found.images.paths.keys() - found.labels.image_ids)


def lists_only_masks(found: Recognised) -> bool:
    """Whether images without a row are evidently empty: every row of the table has a mask."""
    return found.labels is not None and not found.labels.empty_words


def unlabelled(found: Recognised, competition: Any) -> tuple[str | None, str, str]:
    """The value of `data.unlabelled`, the reason and the alternative, with this value of `data.competition`.

    All are empty if every image has a row, or the competition says what other images mean.
    """
    count = unlisted_images(found)
    own = isinstance(competition, dict) and competition.get("unlisted") == "empty"
    known = bool(found.matches) and found.matches[0].competition.unlisted == "empty"
    if not count or own or known:
        return None, "", ""
    images = counted(count, "image has", "images have")
    if lists_only_masks(found):
        return "empty", f"{images} no row, and every row has a mask", "leave_out, if these images were not labelled"
    why = (
        f"{images} no row, although the table lists empty masks too, so tk fit refuses them. Write unlabelled: "
        "leave_out, if they were not labelled, or unlabelled: empty, if they show nothing"
    )
    return None, why, ""


def overlaps(found: Recognised, labels: RecognisedTable | None) -> tuple[bool, str, str]:
    """Whether rows of classes of an unknown competition may share pixels; the reason, and the other reading.

    Forbidding it would refuse submissions of classes that are independent, as those of rows are; most competitions
    score each class by itself.
    """
    other = "overlaps: false, if each pixel of a submission may have one class only"
    if labels is None or found.rle is None or found.rle.relative:
        return True, "overlaps: true, because nothing shows that classes may not share pixels", other
    together, sharing = _images_that_share(labels)
    if sharing:
        return True, f"overlaps: true, because classes share pixels in {sharing} of {together} images", ""
    return (
        True,
        f"classes share no pixel in {together} images, but nothing shows that they may not: overlaps: true",
        other,
    )


def _images_that_share(labels: RecognisedTable) -> tuple[int, int]:
    """How many images have several classes, and in how many of these the classes share pixels; absolute starts."""
    texts: dict[str, list[str]] = {}
    for image_id, _, text in labels.rows:
        if are_runs(text):
            texts.setdefault(image_id, []).append(text)
    several = [found for found in texts.values() if len(found) > 1][:_EXAMINED]
    return len(several), sum(map(_share_pixels, several))


def _share_pixels(texts: Sequence[str]) -> bool:
    numbers = [np.array(text.split(), np.float64) for text in texts]
    starts, lengths = (np.concatenate([one[first::2] for one in numbers]) for first in (0, 1))
    order = np.argsort(starts, kind="stable")
    return bool((starts[order][1:] < (starts + lengths)[order][:-1]).any())


def remarks(labels: RecognisedTable) -> str:
    """What was noticed in a table and settled, as the end of a sentence."""
    told = []
    if not labels.table.has_header:
        told.append("it has no header, so its first line is a row")
    if labels.alike:
        told.append(f"its ids differ from the names of images by {differences(labels.alike)}")
    twice = len(labels.rows) - len(set(labels.rows))
    if twice:
        told.append(f"{counted(twice, 'row is', 'rows are')} repeated, and each counts once")
    filled = {(image_id, name) for image_id, name, text in labels.rows if text not in labels.empty_words}
    torn = {(image_id, name) for image_id, name, text in labels.rows if text in labels.empty_words} & filled
    if torn:
        ids = listing(sorted({image_id for image_id, _ in torn}))
        told.append(f"empty rows besides rows with a mask, of which the mask counts: {ids}")
    return "".join(f"; {text}" for text in told)
