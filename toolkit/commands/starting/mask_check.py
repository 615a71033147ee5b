"""What some masks of a new experiment hold, so that a wrong reading is found before anything is trained."""

from toolkit.config.models import Config
from toolkit.core.masks.mask_values import interpret_values, values_of_mask
from toolkit.errors import DataError, listing
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled

_EXAMINED = 20


def mask_warnings(config: Config) -> list[str]:
    """Warnings about masks whose values do not fit the classes; some masks are read, images are not."""
    data = find_labelled(config)
    ids = sorted(set(data.images.ids) & set(data.masks.ids))
    values = []
    for image_id in ids[:: max(1, -(-len(ids) // _EXAMINED))]:
        try:
            data.read_labels(image_id)
            values.append(values_of_mask(data.masks.read(image_id, data.images.size(image_id))))
        except DataError as error:
            return [f"{error.message}. {error.advice}".rstrip()]
    if data.classes.count > 1 or data.classes.values is not None or not values:
        return []
    reading = interpret_values(values)
    if reading.code not in ("index", "coded"):
        return []
    held = sorted({value for mask in values for value in mask.values})
    return [_one_class(data, listing(held, 8))]


def _one_class(data: LabelledImages, held: str) -> str:
    name = data.classes.names[0]
    return (
        f"masks hold the values {held}, and each above 0 counts as {name}. If they are different classes, name them "
        "with data.mask_values (docs/data.md)"
    )
