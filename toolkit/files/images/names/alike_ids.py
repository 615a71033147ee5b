"""Ids that name the same image although they are spelt differently: leading zeros, `.0`, folders, case, spaces."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from toolkit.errors import listing
from toolkit.files.images.decoding import image_id_of

_FLOAT = re.compile(r"(\d+)\.0+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_SHOWN = 3


def alike_ids(written: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """The known id that each written id must mean; only for ids that are not known as they are written.

    Nothing is guessed: an id is left out if several known ids are like it, or if another written id means the same.

    Args:
        written: ids in a table.
        known: ids of images, or of another table.
    """
    there = set(known)
    spellings = set(written)
    unknown = {one for one in spellings if one not in there}
    if not unknown or not there:
        return {}
    by_form: dict[str, list[str]] = defaultdict(list)
    for one in there:
        by_form[_form(one)].append(one)
    found = {one: by_form[form][0] for one in unknown if len(by_form.get(form := _form(one), ())) == 1}
    meant = Counter(found.values())
    return {one: other for one, other in found.items() if meant[other] == 1 and other not in spellings}


def differences(alike: Mapping[str, str]) -> str:
    """What distinguishes written ids from the known ones, in words, with examples."""
    kinds = Counter(_difference(written, known) for written, known in alike.items())
    examples = listing((f"{written} for {known}" for written, known in sorted(alike.items())), _SHOWN)
    return f"{' or '.join(kind for kind, _ in kinds.most_common())} ({examples})"


def _form(image_id: str) -> str:
    """What is left of an id without everything that programs change: the same for ids that are alike."""
    name = image_id_of(re.split(r"[/\\]", image_id.strip())[-1].strip())
    number = _FLOAT.fullmatch(name)
    name = number[1] if number else name
    return _ZEROS.sub("", name).casefold()


def _difference(written: str, known: str) -> str:
    steps = (
        ("spaces", str.strip),
        ("a folder", lambda text: re.split(r"[/\\]", text)[-1]),
        ("an extension", image_id_of),
        ("a decimal point", lambda text: _FLOAT.sub(r"\1", text)),
        ("leading zeros", lambda text: _ZEROS.sub("", text)),
        ("upper and lower case", str.casefold),
    )
    told = []
    for what, plain in steps:
        if plain(written) != written or plain(known) != known:
            if plain(written) != plain(known) or written != known:
                told += [what]
            written, known = plain(written), plain(known)
        if written == known:
            break
    return " and ".join(told)
