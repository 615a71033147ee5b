"""Checks of a submission's masks: sound runs inside their image, without overlaps, standing the right way."""

from collections.abc import Sequence

import numpy as np

from toolkit.config.competitions import PLAIN
from toolkit.core.arrays import Mask
from toolkit.core.orientation import border_contrast, border_length, evidence, in_other_order
from toolkit.core.rle import RleError, decode, encode
from toolkit.files.expectations import Expected, mask_digest
from toolkit.files.findings import WHOLE_FILE, Findings, listed
from toolkit.files.mask_rows import MaskRow

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
        """Check all rows of one image."""
        size = self._expected.size(image_id)
        if size is None:
            self._unknown.append(image_id)
        decoded = self._decoded(rows, size)
        if size is not None:
            self._check_origin(image_id, decoded, size)
            self._look_at(image_id, [mask for _, mask in decoded])
        self._check_overlaps([entry for entry in decoded if entry[1].any()])
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

    def _decoded(self, rows: Sequence[MaskRow], size: tuple[int, int] | None) -> list[tuple[MaskRow, Mask]]:
        """The rows that are masks, with these. Without a size, pixels are counted in one long line."""
        shape = size or (1, max((_pixels_needed(row.text, self._form.relative) for row in rows), default=1))
        decoded = []
        for row in rows:
            self.rows += 1
            where = f"line {row.line}, {','.join(row.cells)}"
            if shape[1] > _PIXELS_AT_MOST:
                came = f"runs that go beyond {_PIXELS_AT_MOST:,} pixels"
                self._findings.refuse("runs", where, came, "", "Check these numbers.")
            elif self._is_empty(row, where):
                self.empty_rows += 1
                decoded.append((row, np.zeros(shape, np.bool_)))
            elif (mask := self._mask(row, where, shape)) is not None:
                if len(self._texts) < 2:
                    self._texts.add(row.text)
                decoded.append((row, mask))
        return decoded

    def _is_empty(self, row: MaskRow, where: str) -> bool:
        """Whether a row has an empty mask; one that is written wrongly counts as such."""
        text, token = row.text.strip(), self._form.empty
        allowed = f"an empty mask is {token}" if token else "an empty mask is an empty cell"
        if row.text == token:
            return True
        if text.lower() in _NOT_A_NUMBER:
            advice = f"Write fillna({token!r}) before to_csv." if token else "Write it with to_csv(na_rep='')."
            self._findings.refuse("empty masks", where, f"{row.text!r} is no mask", allowed, advice)
            return True
        if text == token or text in _EMPTY_SOMEWHERE:
            # Where no competition is named nobody knows which word it has.
            tell = self._findings.warn if self._form is PLAIN else self._findings.refuse
            tell("empty masks", where, f"the cell {row.text!r}", allowed, "Write it so.")
            return True
        return False

    def _mask(self, row: MaskRow, where: str, size: tuple[int, int]) -> Mask | None:
        """The mask of a row that is not empty; None if it has none."""
        order, relative = self._form.pixel_order, self._form.relative
        text = row.text.strip()
        try:
            mask = decode(text, size, order, relative)
        except RleError as error:
            self._broken += 1
            self._fit_otherwise += self._fits_otherwise(text, size)
            self._findings.refuse("runs", where, str(error), "", "Encode the mask again.")
            return None
        if encode(mask, order, relative) != row.text:
            came = "the mask can be written shorter: runs that touch, spaces around it, or zeros before a number"
            self._findings.warn("round trip", where, came, "", "Encode the mask again.")
        return mask

    def _fits_otherwise(self, text: str, size: tuple[int, int]) -> bool:
        """Whether a text that is no mask is one with the other kind of starts."""
        try:
            decode(text, size, self._form.pixel_order, not self._form.relative)
        except RleError:
            return False
        return True

    def _check_overlaps(self, decoded: Sequence[tuple[MaskRow, Mask]]) -> None:
        if self._form.overlaps or self._form.rows == "image" or len(decoded) < 2:
            return
        taken = np.zeros_like(decoded[0][1])
        for row, mask in decoded:
            if shared := np.count_nonzero(taken & mask):
                what = "objects" if self._form.rows == "object" else "classes"
                came = f"{shared} pixels belong to an earlier row of the same image too"
                where = f"line {row.line}, {','.join(row.cells)}"
                allowed = f"{what} share no pixels in {self._form.name}"
                self._findings.refuse("overlap", where, came, allowed, "Give each pixel to one of them.")
            taken |= mask

    def _check_origin(self, image_id: str, decoded: Sequence[tuple[MaskRow, Mask]], size: tuple[int, int]) -> None:
        """The masks, decoded, are those that the submission was made of."""
        for name in self._form.classes or (None,):
            wanted = self._expected.masks.get((image_id, name))
            if wanted is None:
                continue
            united = np.zeros(size, np.bool_)
            for row, mask in decoded:
                if row.class_name == name:
                    united |= mask
            if mask_digest(united) != wanted:
                where = " ".join(filter(None, (image_id, name)))
                came = "its mask is another one than it was made of"
                self._findings.refuse(
                    "round trip", where, came, "", "This is a fault of the toolkit; please report it."
                )

    def _look_at(self, image_id: str, masks: Sequence[Mask]) -> None:
        """Compare a mask with what it would be in the other order, for some of the images."""
        if self._seen % self._every or self._looked_at >= _LOOKED_AT or self._pixels > _PIXELS_LOOKED_AT:
            return
        united = np.any(masks, axis=0) if masks else np.zeros((1, 1), np.bool_)
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
        if not torn and evidence(self._contrasts) > _UNLIKELY:
            return
        order = "down the columns" if self._form.pixel_order == "column" else "along the rows"
        if torn:
            came = f"masks are torn when pixels are counted {order} (borders of {mine:,} pixels, else {other:,})"
        else:
            came = f"masks fit {len(self._contrasts)} images better when pixels are not counted {order}"
        advice = "Were the masks encoded transposed? Look at some of them."
        self._findings.warn("orientation", WHOLE_FILE, came, f"{self._form.name} counts {order}", advice)


def _pixels_needed(text: str, relative: bool) -> int:
    """How many pixels the image of a mask has at least; texts that are no mask need some too."""
    words = text.split()
    needed = words if relative else words[-2:]
    numbers = [int(word) for word in needed if word.isdecimal() and len(word) < 18]
    return max(sum(numbers), len(text), 1)
