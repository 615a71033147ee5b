"""Checks of a submission's masks: sound runs inside their image, without overlaps, standing the right way."""

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.config.data.competitions import PLAIN
from toolkit.core.arrays import Mask
from toolkit.core.masks.pixel_order import border_contrast, border_length, contrast_t_statistic, in_other_order
from toolkit.core.masks.rle import RleError, decode, encode
from toolkit.files.masks.rle_rows import MaskRow
from toolkit.files.submissions.expectations import Expected, mask_digest
from toolkit.files.submissions.findings import WHOLE_FILE, Findings, listed

_NOT_A_NUMBER = frozenset(("nan", "none", "null", "na", "n/a", "<na>", "nat", "inf", "-inf"))
_EMPTY_SOMEWHERE = frozenset(("", "-1", "-"))
_PIXELS_AT_MOST = 400_000_000
_LOOKED_AT = 200
_PIXELS_LOOKED_AT = 60_000_000
_TORN = 1.3
_UNLIKELY = -4.0


class MaskChecks:
    """Checks the rows of one image after the other."""

    def __init__(self, expected: Expected, images: int, findings: Findings) -> None:
        """Begin with a file of so many images."""
        self._expected, self._findings = expected, findings
        self._form = expected.competition
        self._every = max(1, images // _LOOKED_AT)
        self._seen = self._pixels = self._looked_at = self._broken = self._fit_otherwise = 0
        self._unknown: list[str] = []
        self._borders = np.zeros(2, np.int64)
        self._contrasts: list[tuple[float | None, float | None]] = []
        self._texts: set[str] = set()
        self.rows = self.empty_rows = 0

    def check_image(self, image_id: str, rows: Sequence[MaskRow]) -> None:
        """Check all rows of one image, one after the other: of objects there may be many."""
        size = self._expected.size(image_id)
        if size is None:
            self._unknown.append(image_id)
        # Without a size, pixels are counted in one long line.
        shape = size or (1, max(_pixels_needed(row.text, self._form.relative) for row in rows))
        if shape[1] > _PIXELS_AT_MOST:
            came = f"runs that go beyond {_PIXELS_AT_MOST:,} pixels"
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
            self._look_at(image_id, taken)
        self._seen += 1

    def finish(self) -> None:
        """Check what shows only when all images are seen."""
        if self._unknown:
            came = f"the sizes of {len(self._unknown)} images are not known: {listed(self._unknown)}"
            advice = "Name the folder of the test images: --images FOLDER."
            self._findings.warn("sizes", WHOLE_FILE, came, "runs beyond an image are not seen then", advice)
        filled = self.rows - self.empty_rows
        if self._broken == self._fit_otherwise > filled / 2:
            kinds = ("relative", "absolute") if self._form.relative else ("absolute", "relative")
            came = f"all {self._broken} masks that are broken would fit with {kinds[1]} starts"
            self._findings.refuse("runs", WHOLE_FILE, came, f"starts are {kinds[0]}", "Encode the masks again.")
        if self.rows and not filled:
            self._findings.warn("masks", WHOLE_FILE, f"all {self.rows} masks are empty", "", "Is that meant?")
        elif filled > 1 and len(self._texts) == 1 and not self._broken:
            advice = "Is this a sample submission?"
            self._findings.warn("masks", WHOLE_FILE, "all masks that are not empty are the same", "", advice)
        self._check_orientation()

    def _mask(self, row: MaskRow, size: tuple[int, int]) -> Mask | None:
        """The mask of a row; None if it is empty or broken."""
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
            came = "the mask can be written shorter: runs that touch, spaces around it, or zeros before a number"
            self._findings.warn("round trip", _place(row), came, "", "Encode the mask again.")
        return mask

    def _is_empty(self, row: MaskRow) -> bool:
        """Whether a row has an empty mask; one that is written wrongly counts as such."""
        text, token = row.text.strip(), self._form.empty
        allowed = f"an empty mask is {token}" if token else "an empty mask is an empty cell"
        if row.text == token:
            return True
        if text.lower() in _NOT_A_NUMBER:
            advice = f"Write fillna({token!r}) before to_csv." if token else "Write it with to_csv(na_rep='')."
            self._findings.refuse("empty masks", _place(row), f"{row.text!r} is no mask", allowed, advice)
            return True
        if text == token or text in _EMPTY_SOMEWHERE:
            # Where no competition is named nobody knows which word it has.
            tell = self._findings.warn if self._form is PLAIN else self._findings.refuse
            tell("empty masks", _place(row), f"the cell {row.text!r}", allowed, "Write it so.")
            return True
        return False

    def _fits_otherwise(self, text: str, size: tuple[int, int]) -> bool:
        """Whether a text that is no mask is one with the other kind of starts."""
        try:
            decode(text, size, self._form.pixel_order, not self._form.relative)
        except RleError:
            return False
        return True

    def _check_overlap(self, row: MaskRow, mask: Mask, taken: Mask) -> None:
        """No pixel is in an earlier row of the image, where the rules forbid that."""
        if self._form.overlaps or self._form.rows == "image":
            return
        if shared := np.count_nonzero(taken & mask):
            what = "objects" if self._form.rows == "object" else "classes"
            came = f"{shared} pixels belong to an earlier row of the same image too"
            allowed = f"{what} share no pixels in {self._form.name}"
            self._findings.refuse("overlap", _place(row), came, allowed, "Give each pixel to one of them.")

    def _check_origin(self, image_id: str, united: Mapping[str | None, Mask]) -> None:
        """The masks, decoded, are those that the submission was made of."""
        for name, mask in united.items():
            wanted = self._expected.masks.get((image_id, name))
            if wanted is not None and mask_digest(mask) != wanted:
                where = " ".join(filter(None, (image_id, name)))
                came = "its mask is another one than it was made of"
                advice = "This is a fault of the toolkit; please report it."
                self._findings.refuse("round trip", where, came, "", advice)

    def _look_at(self, image_id: str, united: Mask) -> None:
        """Compare all masks of an image with what they would be in the other order, for some of the images."""
        if self._seen % self._every or self._looked_at >= _LOOKED_AT or self._pixels > _PIXELS_LOOKED_AT:
            return
        if not united.any() or united.all():
            return
        other = in_other_order(united, self._form.pixel_order)
        self._looked_at += 1
        self._pixels += united.size
        if united.shape[0] != united.shape[1]:
            self._borders += (border_length(united), border_length(other))
        images = self._expected.images
        if images is not None and images.read is not None and image_id in images.ids:
            image = images.read(image_id)
            if image.shape[:2] == united.shape:
                self._contrasts.append((border_contrast(image, united), border_contrast(image, other)))

    def _check_orientation(self) -> None:
        mine, other = self._borders.tolist()
        torn = mine > _TORN * other > 0
        if not torn and contrast_t_statistic(self._contrasts) > _UNLIKELY:
            return
        order = "down the columns" if self._form.pixel_order == "column" else "along the rows"
        if torn:
            came = f"masks are torn when pixels are counted {order} (borders of {mine:,} pixels, else {other:,})"
        else:
            came = f"masks fit {len(self._contrasts)} images better when pixels are not counted {order}"
        advice = "Were the masks encoded transposed? Look at some of them."
        self._findings.warn("orientation", WHOLE_FILE, came, f"{self._form.name} counts {order}", advice)


def _place(row: MaskRow) -> str:
    return f"line {row.line}, {','.join(row.cells)}"


def _pixels_needed(text: str, relative: bool) -> int:
    """How many pixels the image of a mask has at least; texts that are no mask need some too."""
    words = text.split()
    needed = words if relative else words[-2:]
    numbers = [int(word) for word in needed if word.isdecimal() and len(word) < 18]
    return max(sum(numbers), len(text), 1)
