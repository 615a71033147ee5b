from pathlib import Path

from toolkit.files.images.names.naming_advice import names_advice, shared_folder_advice


def paths(name: str, folder: str = "i") -> list[Path]:
    return [Path(folder) / name.format(number) for number in range(1, 13)]


def test_the_advice_is_the_lines_to_write() -> None:
    told = names_advice(paths("image_{}.jpg"), paths("mask_{}.png", "m"))
    assert '  image_name: "image_{id}.jpg"\n  mask_name: "mask_{id}.png"\n' in told
    assert """--set 'data.mask_name="mask_{id}.png"'""" in told
    drawn = names_advice([*paths("{}.jpg"), *paths("{}_superpixels.png")], paths("{}_seg.png", "m"))
    assert '  image_name: "{id}.jpg"\n  mask_name: "{id}_seg.png"\n' in drawn


def test_what_no_line_can_say_is_named() -> None:
    told = names_advice(paths("{}_Ab.jpg"), paths("{}_aB_x.jpg", "m"))
    assert "lower case" in told or "image_name" in told
    assert "leading zeros" in names_advice(paths("a{:03d}b.jpg"), paths("a{}b.png", "m"))
    assert "image_name" in names_advice([Path("i/q.png"), Path("i/r.png")], [Path("m/x.png"), Path("m/y.png")])


def test_a_folder_of_images_and_masks() -> None:
    told = shared_folder_advice([*paths("{}_sat.jpg"), *paths("{}_mask.png")])
    assert '  image_name: "{id}_sat.jpg"\n  mask_name: "{id}_mask.png"' in told
    assert "for example" in shared_folder_advice(paths("{}.png"))
