from pathlib import Path

from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.folders.id_lists import IdList, find_id_lists, lists_within


def test_texts_that_name_images_are_lists(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(4):
        (tmp_path / "images" / f"s{number}.png").touch()
    texts = {
        "train": "s0\ns1\ns2\n",
        "val": "images/s3.png\n",
        "notes": "s0\nhello\n",
        "s1": "s0\n",
        "cat": "s0 1\ns1 -1\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    scan = scan_folder(tmp_path)
    found = find_id_lists(scan, scan.folders[0])
    assert [(one.path.stem, sorted(one.ids)) for one in found] == [("train", ["s0", "s1", "s2"]), ("val", ["s3"])]


def test_the_fewest_lists_without_other_images_are_chosen() -> None:
    lists = [
        IdList(Path(name), frozenset(ids))
        for name, ids in (("all", "abcd"), ("both", "abc"), ("train", "ab"), ("val", "c"))
    ]
    chosen, others = lists_within(lists, "abc")
    assert [one.path.name for one in chosen] == ["both"]
    assert [one.path.name for one in others] == ["train", "val"]
    assert [one.path.name for one in lists_within(lists[2:], "abc")[0]] == ["train", "val"]
    assert lists_within(lists, "x") == ([], [])
