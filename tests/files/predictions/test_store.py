import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from toolkit.core.arrays import Probability
from toolkit.core.recipe.probabilities import StoredType, to_probability
from toolkit.core.tuning.fold_means import FoldSpread
from toolkit.errors import ChangedError, NotReadyError, StorageError
from toolkit.files.predictions import store as store_module
from toolkit.files.predictions.store import (
    ProbabilityStore,
    ProbabilityWriter,
    is_made_from,
    member_digests,
    store_digest,
)

SIZES = [(1, 1, 1), (7, 3, 1), (3, 7, 1), (5, 4, 3), (16, 16, 1)]
STRANGE_IDS = ["z", "a", "NA", "007", "a,b", 'say "no"', "1.2.276.0", "é×字", "two words"]


def some_maps(ids: list[str] | None = None) -> dict[str, Probability]:
    random = np.random.default_rng(7)
    ids = ids or [f"{number}" for number in reversed(range(len(SIZES)))]
    return {image_id: random.random(SIZES[number % len(SIZES)], np.float32) for number, image_id in enumerate(ids)}


def write(
    folder: Path, maps: dict[str, Probability], stored_type: StoredType = "uint8", made_from: object = "first"
) -> ProbabilityStore:
    with ProbabilityWriter(folder, stored_type, {"weights": made_from}) as writer:
        for image_id, probability in maps.items():
            writer.append(image_id, probability)
    return ProbabilityStore(folder)


def stopped_half_way(folder: Path) -> None:
    with ProbabilityWriter(folder, "uint8", {}) as writer:
        writer.append("a", np.zeros((2, 3, 1), np.float32))
        raise KeyboardInterrupt


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def drop_a_row(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def replace_by_another_format(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def replace_by_nothing(path: Path) -> None:
    path.write_text("{}")


@pytest.mark.parametrize("shard_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize(("stored_type", "error"), [("uint8", 1 / 510), ("float16", 2**-11)])
def test_maps_are_read_back_up_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_bytes: int, stored_type: StoredType, error: float
) -> None:
    monkeypatch.setattr(store_module, "_SHARD_BYTES", shard_bytes)
    maps = some_maps()
    store = write(tmp_path / "oof", maps, stored_type)
    assert store.stored_type == stored_type
    assert store.ids == tuple(maps)
    for image_id, probability in maps.items():
        stored = store.read(image_id)
        assert stored.dtype == stored_type
        assert stored.shape == probability.shape
        assert store.size(image_id) == probability.shape[:2]
        assert np.abs(to_probability(stored) - probability).max() <= error + 1e-6
    shards = len(list((tmp_path / "oof").glob("maps-*.bin")))
    assert shards == {1: 5, 1 << 20: 1}.get(shard_bytes, shards)
    assert shards > 1 or shard_bytes == 1 << 20


def test_stored_levels_stay_the_same_when_stored_again(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    store = write(tmp_path / "oof", {"a": to_probability(levels)})
    np.testing.assert_array_equal(store.read("a"), levels)


def test_iterating_reads_all_maps_in_the_order_of_writing(tmp_path: Path) -> None:
    store = write(tmp_path / "oof", some_maps())
    found = list(store)
    assert [image_id for image_id, _ in found] == ["4", "3", "2", "1", "0"]
    for image_id, stored in found:
        np.testing.assert_array_equal(stored, store.read(image_id))


def test_ids_stay_text(tmp_path: Path) -> None:
    maps = some_maps(STRANGE_IDS)
    store = write(tmp_path / "oof", maps)
    assert store.ids == tuple(STRANGE_IDS)
    for image_id, probability in maps.items():
        assert np.abs(to_probability(store.read(image_id)) - probability).max() < 1 / 255


def test_an_id_is_written_once(tmp_path: Path) -> None:
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        writer.append("a", np.zeros((2, 3, 1), np.float32))
        with pytest.raises(ValueError, match="a is already in the store"):
            writer.append("a", np.ones((2, 3, 1), np.float32))
    assert ProbabilityStore(tmp_path / "oof").read("a").max() == 0


def test_rows_that_are_appended_one_by_one_make_the_same_store(tmp_path: Path) -> None:
    maps = some_maps()
    with ProbabilityWriter(tmp_path / "rows", "uint8", {"weights": "first"}) as writer:
        for image_id, probability in maps.items():
            for top in range(0, len(probability), 3):
                writer.append_rows(image_id, len(probability), probability[top : top + 3])
    write(tmp_path / "whole", maps)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "rows" / path.name).read_bytes()


def test_an_image_is_completed_before_the_next_begins(tmp_path: Path) -> None:
    rows = np.zeros((2, 3, 1), np.float32)
    for wrong in (("b", 4, rows), ("a", 4, np.zeros((2, 4, 1), np.float32)), ("a", 4, np.zeros((3, 3, 1), np.float32))):
        with ProbabilityWriter(tmp_path / "store", "uint8", {}) as writer:
            writer.append_rows("a", 4, rows)
            with pytest.raises(ValueError, match="do not follow"):
                writer.append_rows(*wrong)
            writer.append_rows("a", 4, rows)
    with pytest.raises(ValueError, match="a lacks 2 rows"), ProbabilityWriter(tmp_path / "half", "uint8", {}) as writer:
        writer.append_rows("a", 4, rows)
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize("classes", [1, 3])
def test_presence_is_read_back_as_written(tmp_path: Path, classes: int) -> None:
    found = {image_id: np.random.default_rng(1).random(classes, np.float32) for image_id in STRANGE_IDS}
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id, presence in found.items():
            writer.append(image_id, np.zeros((2, 3, classes), np.float32), presence)
    store = ProbabilityStore(tmp_path / "oof")
    for image_id, presence in found.items():
        read = store.presence(image_id)
        assert read is not None
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, presence)


def test_a_store_of_a_network_without_presence_head_has_no_presence(tmp_path: Path) -> None:
    store = write(tmp_path / "oof", some_maps())
    assert {store.presence(image_id) for image_id in store.ids} == {None}
    assert everything_in(tmp_path / "oof") == ["index.csv", "manifest.json", "maps-00000.bin"]
    assert "presence" not in json.loads((tmp_path / "oof" / "manifest.json").read_text())


@pytest.mark.parametrize("first", [None, np.ones(1, np.float32)], ids=["first without", "first with"])
def test_all_images_of_a_store_have_a_presence_or_none(tmp_path: Path, first: np.ndarray | None) -> None:
    other = np.ones(1, np.float32) if first is None else None
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        writer.append("a", np.zeros((2, 3, 1), np.float32), first)
        with pytest.raises(ValueError, match=r"^b "):
            writer.append("b", np.zeros((2, 3, 1), np.float32), other)


@pytest.mark.parametrize("damage", [cut, drop_a_row, Path.unlink], ids=["cut", "drop a row", "remove"])
def test_damaged_presence_is_reported(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id in "abc":
            writer.append(image_id, np.zeros((2, 3, 1), np.float32), np.full(1, 0.123456, np.float32))
    damage(tmp_path / "oof" / "presence.csv")
    with pytest.raises(StorageError, match="oof"):
        ProbabilityStore(tmp_path / "oof")


def test_what_was_counted_in_folds_is_read_back_if_it_is_known(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 2**40, (2, 2, 256))
    variance = np.random.default_rng(0).random(2)
    for known in (None, FoldSpread(variance), FoldSpread(variance, *levels, levels[0, :, 0])):
        with ProbabilityWriter(tmp_path / "s", "uint8", {}) as writer:
            writer.append("a", np.zeros((2, 3, 2), np.float32))
            writer.fold_spread = known
        found = ProbabilityStore(tmp_path / "s").fold_spread
        assert (found is None) == (known is None)
        if found is not None and known is not None:
            assert np.array_equal(found.variance, known.variance)
            assert np.array_equal(found.single, known.single)
            assert np.array_equal(found.mean, known.mean)
            assert np.array_equal(found.disagreement, known.disagreement)


def test_a_missing_store_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="no predictions") as told:
        ProbabilityStore(tmp_path / "exp042" / "predictions" / "oof")
    assert told.value.advice.endswith(f"tk fit {tmp_path / 'exp042'}")


def test_there_is_no_store_before_the_block_ends(tmp_path: Path) -> None:
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        writer.append("a", np.zeros((2, 3, 1), np.float32))
        with pytest.raises(NotReadyError):
            ProbabilityStore(tmp_path / "oof")
    assert ProbabilityStore(tmp_path / "oof").ids == ("a",)


def test_a_failed_block_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopped_half_way(tmp_path / "oof")
    assert everything_in(tmp_path) == []


def test_the_old_store_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    old, new = some_maps(["a", "b"]), some_maps(["c"])
    write(tmp_path / "oof", old)
    before = everything_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stopped_half_way(tmp_path / "oof")
    assert everything_in(tmp_path) == before
    assert ProbabilityStore(tmp_path / "oof").ids == ("a", "b")
    write(tmp_path / "oof", new)
    assert ProbabilityStore(tmp_path / "oof").ids == ("c",)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("side", [10, 200], ids=["told when it is closed", "told when it is written"])
def test_a_full_disk_is_reported_and_the_old_store_stays(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]], side: int
) -> None:
    write(tmp_path / "oof", {"old": np.ones((2, 3, 1), np.float32)})
    before = everything_in(tmp_path)
    maps = {f"{number}": np.ones((side, side, 1), np.float32) for number in range(6)}
    with full_disk(), pytest.raises(StorageError, match="oof") as told:
        write(tmp_path / "oof", maps)
    assert told.value.advice
    assert everything_in(tmp_path) == before
    assert ProbabilityStore(tmp_path / "oof").ids == ("old",)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "predictions").write_text("a file")
    with pytest.raises(StorageError, match="predictions"):
        write(tmp_path / "predictions" / "oof", some_maps())


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("maps-00000.bin", cut),
        ("maps-00000.bin", lengthen),
        ("maps-00001.bin", Path.unlink),
        ("index.csv", cut),
        ("index.csv", drop_a_row),
        ("index.csv", Path.unlink),
        ("index.csv", replace_by_nothing),
        ("manifest.json", cut),
        ("manifest.json", replace_by_another_format),
        ("manifest.json", replace_by_nothing),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_damage_is_reported_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(store_module, "_SHARD_BYTES", 100)
    write(tmp_path / "oof", some_maps())
    damage(tmp_path / "oof" / name)
    with pytest.raises(StorageError, match="oof") as told:
        ProbabilityStore(tmp_path / "oof")
    assert told.value.advice


def test_a_store_knows_what_it_was_made_from(tmp_path: Path) -> None:
    made_from = {"weights": ("a", "b"), "views": "none", "share": 0.1}
    folder = tmp_path / "oof"
    assert not is_made_from(folder, made_from)
    with ProbabilityWriter(folder, "uint8", made_from) as writer:
        assert not is_made_from(folder, made_from)
        writer.append("a", np.zeros((2, 3, 1), np.float32))
    assert is_made_from(folder, made_from)
    assert ProbabilityStore(folder).made_from["views"] == "none"
    for change in ({"weights": ("b", "a")}, {"views": "flips"}, {"share": 0.2}, {"more": 1}):
        assert not is_made_from(folder, made_from | change)
    replace_by_nothing(folder / "manifest.json")
    with pytest.raises(StorageError):
        is_made_from(folder, made_from)


def test_the_digest_of_a_store_follows_what_it_was_made_from(tmp_path: Path) -> None:
    maps = some_maps()
    for name, made_from in (("one", "first"), ("two", "first"), ("three", "second")):
        write(tmp_path / name, maps, made_from=made_from)
    one, two, three = (store_digest(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three


def test_a_mean_of_predictions_that_have_changed_since_is_refused(tmp_path: Path) -> None:
    def predict(folder: Path, made_from: dict[str, object]) -> None:
        with ProbabilityWriter(folder, "uint8", made_from) as writer:
            writer.append("a", np.zeros((2, 3, 1), np.float32))

    leaf, inner, outer = (tmp_path / name / "predictions" / "oof" for name in ("leaf", "inner", "outer"))
    predict(leaf, {"weights": ["1"]})
    predict(inner, {"members": member_digests(inner, [leaf])})
    predict(outer, {"members": member_digests(outer, [inner])})
    assert ProbabilityStore(outer).ids == ("a",)
    predict(leaf, {"weights": ["2"]})
    for blend in (inner, outer):
        with pytest.raises(ChangedError, match="have changed since"):
            ProbabilityStore(blend)
    shutil.rmtree(tmp_path / "leaf")
    assert ProbabilityStore(outer).ids == ("a",)


@pytest.mark.parametrize("shard_bytes", [1, 1 << 20])
def test_a_store_that_was_replaced_is_never_read_as_the_one_that_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_bytes: int
) -> None:
    monkeypatch.setattr(store_module, "_SHARD_BYTES", shard_bytes)
    folder, maps = (
        tmp_path / "oof",
        {name: np.full((2, 3, 1), value, np.float32) for name, value in (("a", 0), ("b", 1))},
    )
    store = write(folder, maps)
    first = {image_id: store.read(image_id) for image_id in "ab"}
    write(folder, maps, made_from="second")  # the same maps do no harm, whatever they were made from
    assert all(np.array_equal(store.read(image_id), first[image_id]) for image_id in "ab")
    for others in ({"a": maps["b"], "b": maps["a"]}, {"b": maps["b"], "a": maps["a"]}, {"c": maps["a"][:1]}):
        write(folder, others)
        with pytest.raises(ChangedError, match="were replaced or deleted while they were in use"):
            list(store)
    shutil.rmtree(folder)
    with pytest.raises(ChangedError, match="were replaced or deleted"):
        store.read("a")


def test_a_map_that_was_damaged_after_it_was_read_is_refused(tmp_path: Path) -> None:
    store = write(tmp_path / "oof", {"a": np.ones((2, 3, 1), np.float32)})
    store.read("a")
    (tmp_path / "oof" / "maps-00000.bin").write_bytes(bytes(6))
    with pytest.raises(StorageError, match=r"map of a in maps-00000\.bin"):
        store.read("a")


def swap_entries(path: Path) -> None:
    """Give the first two images each other's maps."""
    header, first, second, *rest = path.read_text().splitlines()
    names = [line.split(",", 1)[0] for line in (first, second)]
    swapped = [f"{name},{line.split(',', 1)[1]}" for name, line in zip(names, (second, first), strict=True)]
    path.write_text("\n".join([header, *swapped, *rest]) + "\n")


def claim_a_terabyte(path: Path) -> None:
    header, first, *rest = path.read_text().splitlines()
    name, shard, offset, _, width, *others = first.split(",")
    path.write_text("\n".join([header, ",".join((name, shard, offset, "999999999", width, *others)), *rest]) + "\n")


@pytest.mark.parametrize("with_digest", [True, False], ids=["digest", "no digest"])
@pytest.mark.parametrize("damage", [swap_entries, claim_a_terabyte])
def test_an_index_that_was_changed_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], with_digest: bool
) -> None:
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for value, image_id in enumerate("abc"):
            writer.append(image_id, np.full((2, 3, 1), value / 2, np.float32))
    damage(tmp_path / "oof" / "index.csv")
    if not with_digest:  # as earlier versions wrote it: the checksum of the map tells nothing about the name
        manifest = tmp_path / "oof" / "manifest.json"
        tree = json.loads(manifest.read_text())
        del tree["index"]
        manifest.write_text(json.dumps(tree))
        if damage is swap_entries:
            ProbabilityStore(tmp_path / "oof")
            return
    with pytest.raises(StorageError, match="damaged"):
        ProbabilityStore(tmp_path / "oof")


def test_a_map_with_other_bytes_is_refused_when_it_is_read(tmp_path: Path) -> None:
    with ProbabilityWriter(tmp_path / "oof", "uint8", {}) as writer:
        for image_id in "ab":
            writer.append(image_id, np.zeros((2, 3, 1), np.float32))
    shard = tmp_path / "oof" / "maps-00000.bin"
    content = bytearray(shard.read_bytes())
    content[7] ^= 1
    shard.write_bytes(content)
    store = ProbabilityStore(tmp_path / "oof")
    assert not store.read("a").any()
    with pytest.raises(StorageError, match=r"map of b in maps-00000\.bin"):
        store.read("b")
