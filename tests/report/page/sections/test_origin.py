from dataclasses import replace

from toolkit.report.page.blocks import Code, TableBlock
from toolkit.report.page.sections.origin import origin
from toolkit.report.page.values import Origin, PageValues


def test_what_differs_from_a_parent_is_emphasised(example_values: PageValues) -> None:
    changed = [("lr", "0.1", "0.1", "0.001"), ("loss", "dice_loss", "bce", "bce")]
    digests, versions = {"folds": "abc"}, {"python": "3.11"}
    commands = ["tk fit exp042 --set 'lr=0.1'", "tk tune exp042"]
    found = Origin(
        {"lr": "0.1"},
        "lr: 0.1\n",
        changed,
        ["../a/config.yaml"],
        digests,
        versions,
        "float32",
        None,
        commands,
        "toolkit 1",
    )
    section = origin(replace(example_values, origin=found))
    assert section is not None
    first, table, *_ = section.blocks
    assert isinstance(first, Code)
    assert first.text == "tk fit exp042 --set 'lr=0.1'\ntk tune exp042"
    assert isinstance(table, TableBlock)
    assert table.marked == {1}
    alone = origin(replace(example_values, origin=replace(found, parents=[])))
    assert alone is not None
    table = alone.blocks[1]
    assert isinstance(table, TableBlock)
    assert table.columns == ("key", "value", "default")
    assert table.marked == frozenset()
    assert origin(example_values) is None
