"""Checks of a submission's masks: valid runs inside the image, no overlaps, and the right pixel order."""

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.config.data.competitions import PLAIN, PRESETS
from toolkit.core.arrays import Mask
from toolkit.core.masks.labels import covers_most
from toolkit.core.masks.misplaced_masks import (
    COUNTED,
    Contrasts,
    are_contradicted,
    border_contrast,
    border_length,
    count_from_zero,
    in_other_order,
    is_torn,
    line_starts,
    one_pixel_on,
)
from toolkit.core.masks.rle import RleError, decode, encode
from toolkit.errors import listing
from toolkit.files.masks.rle_rows import MaskRow
from toolkit.files.submissions.expectations import Expected, mask_digest
from toolkit.files.submissions.findings import WHOLE_FILE, Findings

_NOT_A_NUMBER = frozenset(("nan", "none", "null", "na", "n/a", "<na>", "nat", "inf", "-inf"))
_EMPTY_SOMEWHERE = frozenset(("", "-1", "-"))
_PIXELS_AT_MOST = 400_000_000
_EXAMINED = 200
_PIXELS_EXAMINED = 60_000_000


class MaskChecks:
    """Checks the rows of a file image by image."""

    def __init__(self, expected: Expected, images: int, findings: Findings) -> None:
        """Prepare to check a file with this number of images."""
        self._expected, self._findings = expected, findings
        self._form = expected.competition
        self._every = max(1, images // _EXAMINED)
        self._seen = self._pixels = self._examined = self._broken = self._fit_otherwise = 0
        self._unknown: list[str] = []
        self._borders = np.zeros(2, np.int64)
        self._contrasts: list[Contrasts] = []
        self._of_counted: list[Contrasts] = []
        self._starts: list[tuple[int, int]] = []
        self._of_before: list[Contrasts] = []
        self._of_after: list[Contrasts] = []
        self._previous: tuple[str, Mask] | None = None
        self._shares: list[float] = []
        self._texts: set[str] = set()
        self.rows = self.empty_rows = 0

    def check_image(self, image_id: str, rows: Sequence[MaskRow]) -> None:
        """Check all rows of one image."""
        size = self._expected.size(image_id)
        if size is None:
            self._unknown.append(image_id)
        # Without a size, the image is taken as a single row of pixels.
        shape = size or (1, max(_pixels_needed(row.text, self._form.relative) for row in rows))
        if shape[1] > _PIXELS_AT_MOST:
            came = f"runs end beyond {_PIXELS_AT_MOST:,} pixels"
            self._findings.refuse("runs", _place(rows[0]), came, "", "Check these numbers.")
            return
        united: dict[str | None, Mask] = {}
        taken = np.zeros(shape, np.bool_)
        for row in rows:
            of_class = united.setdefault(row.class_name, np.zeros(shape, np.bool_))
            mask = self._mask(row, shape)
            if mask is not None:
                self._check_overlap(row, mask, taken)
                taken |= mask
                of_class |= mask
        if size is not None:
            self._check_origin(image_id, united)
            self._compare_orders(image_id, taken)
            self._shares.append(float(taken.mean()))
        self._seen += 1

    def finish(self) -> None:
        """Run the checks that need all images."""
        if self._unknown:
            came = f"the sizes of {len(self._unknown)} images are unknown: {listing(self._unknown)}"
            advice = "Add the folder of the test images: --images FOLDER."
            self._findings.warn("sizes", WHOLE_FILE, came, "runs beyond the image are not detected", advice)
        filled = self.rows - self.empty_rows
        if self._broken == self._fit_otherwise > filled / 2:
            kinds = ("relative", "absolute") if self._form.relative else ("absolute", "relative")
            came = f"all {self._broken} invalid masks are valid with {kinds[1]} starts"
            self._findings.refuse("runs", WHOLE_FILE, came, f"starts must be {kinds[0]}", "Encode the masks again.")
        if self.rows and not filled:
            self._findings.warn(
                "masks", WHOLE_FILE, f"all {self.rows} masks are empty", "", "Check that this is intended."
            )
        elif filled > 1 and len(self._texts) == 1 and not self._broken:
            advice = "Check that this is not a sample submission."
            self._findings.warn("masks", WHOLE_FILE, "all masks except empty ones are the same", "", advice)
        self._check_orientation()
        self._check_counting()
        self._check_neighbours()
        if not self._form.classes and covers_most(self._shares):
            came = f"masks cover {np.mean(self._shares):.0%} of the pixels, and most of the image in most images"
            advice = "Check that foreground and background are not swapped."
            self._findings.warn("polarity", WHOLE_FILE, came, "", advice)

    def _mask(self, row: MaskRow, size: tuple[int, int]) -> Mask | None:
        """The mask of a row; None if it is empty or invalid."""
        self.rows += 1
        if self._is_empty(row):
            self.empty_rows += 1
            return None
        if len(self._texts) < 2:
            self._texts.add(row.text)
        order, relative = self._form.pixel_order, self._form.relative
        text = row.text.strip()
        try:
            mask = decode(text, size, order, relative)
        except RleError as error:
            self._broken += 1
            self._fit_otherwise += self._fits_otherwise(text, size)
            self._findings.refuse("runs", _place(row), str(error), "", "Encode the mask again.")
            return None
        if encode(mask, order, relative) != row.text:
            came = "the mask is not in its shortest form: runs touch, or there are extra spaces or leading zeros"
            self._findings.warn("round trip", _place(row), came, "", "Encode the mask again.")
        return mask

    def _is_empty(self, row: MaskRow) -> bool:
        """Whether the mask of a row is empty; a wrong word for an empty mask counts as empty."""
        text, token = row.text.strip(), self._form.empty
        allowed = f"an empty mask is written {token}" if token else "an empty mask is an empty cell"
        if row.text == token:
            return True
        if text.lower() in _NOT_A_NUMBER:
            advice = f"With pandas, use fillna({token!r})." if token else "With pandas, use to_csv(na_rep='')."
            self._findings.refuse("empty masks", _place(row), f"{row.text!r} is not a mask", allowed, advice)
            return True
        if text == token or text in _EMPTY_SOMEWHERE:
            # Without a competition, its word for empty masks is unknown.
            add = self._findings.warn if self._form is PLAIN else self._findings.refuse
            add("empty masks", _place(row), f"the cell is {row.text!r}", allowed, "Write empty masks like this.")
            return True
        return False

    def _fits_otherwise(self, text: str, size: tuple[int, int]) -> bool:
        """Whether an invalid text is a valid mask with the other kind of starts."""
        try:
            decode(text, size, self._form.pixel_order, not self._form.relative)
        except RleError:
            return False
        return True

    def _check_overlap(self, row: MaskRow, mask: Mask, taken: Mask) -> None:
        """No pixel is in an earlier row of the image, unless the competition allows overlaps."""
        if self._form.overlaps or self._form.rows == "image":
            return
        if shared := np.count_nonzero(taken & mask):
            what = "objects" if self._form.rows == "object" else "classes"
            came = f"{shared} pixels are also in an earlier row of the same image"
            allowed = f"{what} must not overlap in {self._form.name}"
            form = f"{{extends: {self._form.name}, overlaps: true}}" if self._form.name in PRESETS else "overlaps: true"
            where = "data.competition" if self._form.name in PRESETS else "the keys of data.competition"
            advice = f"Assign each pixel to one of them. If the competition allows overlaps, write {form} in {where}."
            self._findings.refuse("overlap", _place(row), came, allowed, advice)

    def _check_origin(self, image_id: str, united: Mapping[str | None, Mask]) -> None:
        """The decoded masks are those that the submission was made from."""
        for name, mask in united.items():
            wanted = self._expected.masks.get((image_id, name))
            if wanted is not None and mask_digest(mask) != wanted:
                where = " ".join(filter(None, (image_id, name)))
                came = "the mask in the file differs from the mask it was made from"
                advice = "This is a bug of the toolkit; please report it."
                self._findings.refuse("round trip", where, came, "", advice)

    def _compare_orders(self, image_id: str, united: Mask) -> None:
        """Compare the masks of some of the images with their version in the other pixel order."""
        previous, self._previous = self._previous, (image_id, united)
        if self._seen % self._every or self._examined >= _EXAMINED or self._pixels > _PIXELS_EXAMINED:
            return
        if not united.any() or united.all():
            return
        other = in_other_order(united, self._form.pixel_order)
        self._examined += 1
        self._starts.append((0, 0) if self._form.relative else line_starts(united, self._form.pixel_order))
        self._pixels += united.size
        if united.shape[0] != united.shape[1]:
            self._borders += (border_length(united), border_length(other))
        images = self._expected.images
        if images is not None and images.read is not None and image_id in images.ids:
            image = images.read(image_id)
            if image.shape[:2] == united.shape:
                own = border_contrast(image, united)
                self._contrasts.append((own, border_contrast(image, other)))
                if not self._form.relative:
                    moved = one_pixel_on(united, self._form.pixel_order)
                    self._of_counted.append((own, border_contrast(image, moved)))
                if previous is not None:
                    self._compare_neighbours(previous, (image_id, united), own)

    def _compare_neighbours(self, before: tuple[str, Mask], present: tuple[str, Mask], own: float | None) -> None:
        """Compare the masks of two rows that follow each other with each other's image, if these are of one size."""
        images = self._expected.images
        if images is None or images.read is None or before[0] not in images.ids or before[1].shape != present[1].shape:
            return
        earlier = images.read(before[0])
        if earlier.shape[:2] == present[1].shape:
            self._of_before.append((own, border_contrast(earlier, present[1])))
            self._of_after.append(
                (border_contrast(earlier, before[1]), border_contrast(images.read(present[0]), before[1]))
            )

    def _check_counting(self) -> None:
        contradicted, beyond = are_contradicted(self._of_counted), sum(count for _, count in self._starts)
        if contradicted or count_from_zero(self._starts):
            came = f"{beyond} runs begin in the last pixel of a line and go on in the next"
            came = f"one pixel on, masks fit {len(self._of_counted)} images better" if contradicted else came
            advice = "Pixels seem to be counted from 0: add 1 to every start."
            self._findings.warn("runs", WHOLE_FILE, came, "the first pixel is number 1", advice)

    def _check_neighbours(self) -> None:
        for where, pairs in (("before", self._of_before), ("after", self._of_after)):
            if are_contradicted(pairs):
                came = f"masks fit the image of the row {where} theirs better than their own, in {len(pairs)} images"
                self._findings.warn("shifted rows", WHOLE_FILE, came, "", "Check that ids and masks are not shifted.")

    def _check_orientation(self) -> None:
        mine, other = self._borders.tolist()
        torn = is_torn(mine, other)
        if not torn and not are_contradicted(self._contrasts):
            return
        order = COUNTED[self._form.pixel_order]
        if torn:
            came = f"masks are torn if pixels are counted {order}: borders of {mine:,} pixels, otherwise {other:,}"
        else:
            came = f"masks fit {len(self._contrasts)} images better if pixels are not counted {order}"
        advice = "The masks may have been encoded transposed; check some of them."
        self._findings.warn("orientation", WHOLE_FILE, came, f"{self._form.name} counts {order}", advice)


def _place(row: MaskRow) -> str:
    return f"line {row.line}, {','.join(row.cells)}"


def _pixels_needed(text: str, relative: bool) -> int:
    """The minimum number of pixels of an image with this mask, at least 1 for invalid texts."""
    words = text.split()
    needed = words if relative else words[-2:]
    numbers = [int(word) for word in needed if word.isdecimal() and len(word) < 18]
    return max(sum(numbers), len(text), 1)
