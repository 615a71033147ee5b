import re

import pytest

from toolkit.config.members import MemberPart, parse_member


@pytest.mark.parametrize(
    ("text", "name", "part", "words"),
    [
        ("exp042", "exp042", MemberPart(), ()),
        ("exp042:fold0", "exp042", MemberPart(fold=0), ("fold0",)),
        ("exp042:stage1:fold10", "exp042", MemberPart(fold=10, stage=1), ("fold10", "stage1")),
        ("../others/exp042:snapshots", "../others/exp042", MemberPart(snapshot="all"), ("snapshots",)),
        ("a:b/exp042:snapshot2", "a:b/exp042", MemberPart(snapshot=2), ("snapshot2",)),
    ],
)
def test_a_member_is_an_experiment_or_a_part_of_it(
    text: str, name: str, part: MemberPart, words: tuple[str, ...]
) -> None:
    assert parse_member(text) == (name, part)
    assert part.words == words


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exp042:flod0", "'flod0' is not a part of exp042; did you mean 'fold0'? choose from foldN, stageN"),
        ("exp042:xyz", "'xyz' is not a part of exp042; choose from foldN, stageN, snapshots, snapshotN"),
        ("exp042:fold", "'fold' is not a part of exp042; choose from"),
        ("exp042:", "'' is not a part of exp042"),
        ("exp042:fold0:fold1", "a member has one fold only"),
    ],
)
def test_invalid_parts_are_rejected(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse_member(text)
