"""Mistakes on the command line: what is typed, and the words that the message must have."""

import os
import shlex
from pathlib import Path

import pytest

from tests.bad_inputs.conftest import DOCUMENTED
from tests.small_competition import everything, run

pytestmark = pytest.mark.train

LONG, DEEP, NUL = "x" * 5000, "x/" * 2500 + "y", "a\0b"

MISTAKES = [
    ("", "Usage", ""),
    ("fitt new", "fitt", "fit"),
    ("fit", "EXPERIMENT", ""),
    ("fit new --sett a=1", "--sett", ""),
    ("fit new --set", "--set", ""),
    ("fit new --set lr", "KEY=VALUE", "lr"),
    ("fit new --set =1", "KEY=VALUE", ""),
    ("fit new --set stages.0=3", "stages.0", "pairs"),
    (f"fit new --set stages.{'9' * 5000}.epochs=1", "--set", "stages"),
    ("fit new --set stages.1000000000.epochs=1", "stages", "0"),
    ("fit new --set stages.-1.epochs=1", "stages", "-1"),
    ("fit new --set extends=a.yaml", "extends", "cannot be overridden"),
    ("fit new --set shape=[640000,640000,3]", "shape", "16384"),
    ("fit new --set seed=1e400", "seed", "whole number"),
    (f"fit new --set data.images={LONG}", "data.images", "255 bytes"),
    (f"fit new --set data.images={DEEP}", "data.images", "4096 bytes"),
    ("fit new --folds 7", "--folds", "7"),
    ("fit new --folds -1", "--folds", "-1"),
    ("fit new --folds 0,,1", "--folds", "0,,1"),
    ("fit new --folds ²", "--folds", "²"),
    (f"fit new --folds {'9' * 5000}", "--folds", "numbers"),
    ("fit new --stages 3", "--stages", "3"),
    ("fit new --stages all", "--stages", "all"),
    ("fit new --max-time 8", "--max-time", "units"),
    ("fit new --max-time 0h", "--max-time", "units"),
    ("fit new --max-time -1h", "--max-time", "-1h"),
    (f"fit new --max-time {'9' * 400}h", "--max-time", "units"),
    ("fit new --seed 99999999999999999999", "seed", "2147483648"),
    ("fit new --seed one", "--seed", ""),
    ("fit new --num-seeds 99999999999999999999", "num_seeds", "1000"),
    ("fit new --num-seeds 0", "num_seeds", "greater than 0"),
    ("fit new --engine torch", "engine", "openvino"),
    ("fit nowhere", "nowhere", "tk new"),
    (f"fit {LONG}", "255 bytes", ""),
    (f"fit {DEEP}", "4096 bytes", ""),
    (f"fit {NUL}", "NUL", ""),
    ("fit a+b", "a+b", "ensemble"),
    ("fit .", "config.yaml", ""),
    ("fit /", "config.yaml", ""),
    ("fit data", "config.yaml", ""),
    ("fit data/train.csv", "train.csv", ""),
    ("fit ''", "there is no experiment ''", ""),
    ("lr-find new --low 0", "--low", "0"),
    ("lr-find new --low 1 --high 0.1", "--high", "--low"),
    ("lr-find new --high inf", "--high", "inf"),
    ("lr-find new --low nan", "--low", "nan"),
    ("lr-find new --steps 0", "--steps", "0"),
    ("lr-find new --steps 1000000000000", "--steps", "1000000000000"),
    ("lr-find new --folds 9", "--folds", "9"),
    ("lr-find new --folds -1", "--folds", "-1"),
    ("lr-find new --stage 9", "--stage", "9"),
    ("lr-find new --stage -1", "--stage", "-1"),
    ("tune a --steps treshold", "threshold", ""),
    ("tune a --metric dise", "dice", ""),
    ("tune a --metric '{fbeta: {beta: 1e308}}'", "beta", "1000"),
    ("tune a --metric '['", "--metric", "YAML"),
    (f"tune a --metric '{'[' * 20000}'", "--metric", "YAML"),
    ("tune new", "new", "tk fit"),
    ("tune nowhere", "nowhere", ""),
    ("tune b c", "c", ""),
    ("submit a --threshold 1", "--threshold", "1"),
    ("submit a --threshold -0.1", "--threshold", "-0.1"),
    ("submit a --threshold nan", "--threshold", "nan"),
    ("submit a --threshold half", "--threshold", ""),
    ("submit a --min-area -1", "--min-area", "-1"),
    ("submit a --min-area 99999999999999999999", "--min-area", "99999999999999999999"),
    ("submit a --min-area 1.5", "--min-area", ""),
    ("submit a --name ../../x", "--name", "../../x"),
    (f"submit a --name {LONG}", "--name", ""),
    (f"submit a --name {NUL}", "NUL", ""),
    ("submit a --message hello", "--message", "--upload"),
    ("submit b", "b", "tk tune"),
    ("submit new", "new", "tk fit"),
    ("check nowhere.csv", "nowhere.csv", ""),
    ("check data", "data", "folder"),
    ("check pipe", "pipe", "named pipe"),
    (f"check {LONG}", "255 bytes", ""),
    (f"check {DEEP}", "4096 bytes", ""),
    (f"check {NUL}", "null byte", ""),
    ("check submissions/a.csv --sample nowhere.csv", "nowhere.csv", ""),
    ("check submissions/a.csv --sample pipe", "pipe", "named pipe"),
    ("check submissions/a.csv --images nowhere", "nowhere", "--images"),
    (f"check submissions/a.csv --images {LONG}", "too long", ""),
    ("check submissions/a.csv --competition tgs-sallt", "tgs-salt", ""),
    ("check submissions/a.csv --competition pipe.yaml", "pipe.yaml", "named pipe"),
    ("score submissions/a.csv --solution nowhere.csv --metric dice", "nowhere.csv", ""),
    ("score submissions/a.csv --solution pipe --images data/test/images --metric dice", "pipe", "named pipe"),
    ("score submissions/a.csv --solution submissions/a.csv --metric dise --images data/test/images", "dice", ""),
    ("score submissions/a.csv", "--solution", ""),
    ("score data --solution data --metric dice --classes a,a", "--classes", "different"),
    ("score data --solution data --metric dice --ignore x", "--ignore", "numbers"),
    ("lb nowhere.csv 0.5", "nowhere", "a"),
    ("lb a.csv half", "SCORE", ""),
    ("lb a.csv nan", "nan", ""),
    ("lb a.csv inf", "inf", ""),
    ("lb a.csv", "score", ""),
    ("compare a", "compare", ""),
    ("compare a a", "a", "twice"),
    ("compare a nowhere", "nowhere", ""),
    ("compare a b --baseline nowhere", "nowhere", ""),
    ("compare a b --sort-by nothing", "nothing", ""),
    ("compare a b --csv data/train.csv/x.csv", "data/train.csv", ""),
    (f"compare a b --csv {LONG}", "too long", ""),
    (f"compare a {LONG}", "255 bytes", ""),
    ("evaluate new", "new", "tk fit"),
    ("evaluate a --worst -1", "--worst", "0"),
    ("evaluate a --threshold 2", "--threshold", "2"),
    ("evaluate a --images nowhere --masks nowhere", "tk fit a", ""),
    ("predict new data/test/images --out x", "new", "tk fit"),
    ("predict a nowhere --out x", "tk fit a", ""),
    ("predict a data/test/images --out experiments/a", "--out", "experiment"),
    ("predict a data/test/images --out x --format gif", "gif", ""),
    ("predict a data/test/images --out x --stage 9", "9", ""),
    ("predict a data/test/images --out x --engine torch", "--engine", "openvino"),
    ("ensemble a", "a", "ensemble"),
    ("ensemble a a", "a", "twice"),
    ("ensemble a nowhere", "nowhere", ""),
    ("ensemble a b --weights 1", "--weights", ""),
    ("ensemble a b --weights 1,-1", "--weights", "-1"),
    ("ensemble a b --weights 1,nan", "--weights", "nan"),
    ("ensemble a b --weights 0,0", "--weights", "0"),
    ("ensemble a b --weights 1e308,1e308", "--weights", "1e+09"),
    ("ensemble a b --weights one,two", "--weights", "one"),
    ("ensemble a b --name a", "a", ""),
    ("ensemble a b --name ../x", "../x", ""),
    (f"ensemble a b --name {LONG}", "255 bytes", ""),
    ("ensemble a new", "new", "tk fit"),
    ("new a --images data/train/images --masks data/train.csv", "already exists", ""),
    ("new x", "--images", ""),
    ("new x --images nowhere --masks data/train.csv", "nowhere", "--images"),
    ("new x --images data/train/images --masks nowhere.csv", "nowhere.csv", "--masks"),
    (f"new x --images {LONG} --masks data/train.csv", "255 bytes", ""),
    (f"new x --images {DEEP} --masks data/train.csv", "4096 bytes", ""),
    (f"new x --images {NUL} --masks data/train.csv", "null byte", ""),
    (f"new {LONG} --images data/train/images --masks data/train.csv", "255 bytes", ""),
    ("new ../x --images data/train/images --masks data/train.csv", "../x", "name"),
    ("new .x --images data/train/images --masks data/train.csv", ".x", "name"),
    ("new 'x y' --images data/train/images --masks data/train.csv", "x y", "name"),
    ("new x --extends nowhere", "nowhere", ""),
    ("new x --extends a --set lr=fast", "lr", "a number"),
    ("import nowhere.yaml --name x", "nowhere.yaml", ""),
    ("import pipe.yaml --name x --images data/train/images --masks data/train.csv", "pipe.yaml", "named pipe"),
    ("import data --name x --images data/train/images --masks data/train.csv", "data", ""),
    (f"import {LONG} --name x", "too long", ""),
    ("init nowhere", "nowhere", ""),
    (f"init {LONG}", "too long", ""),
    ("init pipe", "pipe", ""),
    ("simulate sugar --out out", "sugar", "salt"),
    ("simulate salt --out out --count 0", "--count", "0"),
    ("simulate salt --out out --count 100000000000000", "--count", "100000000000000"),
    ("simulate salt --out out --count -5", "--count", "-5"),
    ("simulate salt --out out --test-count 100000000000000", "--test-count", "100000000000000"),
    ("simulate salt --out out --seed -1", "--seed", "-1"),
    ("simulate salt --out out --seed 1000000000000000000000000", "--seed", "1000000000000000000000000"),
    ("simulate salt --out out --size 1000000", "--size", "1000000"),
    ("simulate salt --out out --size 0", "--size", "0"),
    ("simulate salt --out out --size 5x", "--size", "5x"),
    (f"simulate salt --out {LONG}", "too long", ""),
    ("preview a --count 0", "--count", "1"),
    ("preview a --count 1000000000000", "--count", "1000000000000"),
    ("preview a --stage 9", "--stage", "9"),
    ("preview a --seed -1", "--seed", "-1"),
    ("data nowhere", "nowhere", ""),
    ("config show nowhere", "nowhere", ""),
    ("config shwo a", "shwo", ""),
    ("clean nowhere", "nowhere", ""),
]


def words_of(line: str) -> list[str]:
    return [NUL if word == NUL else word for word in shlex.split(line)]


@pytest.mark.parametrize(("line", "first", "second"), MISTAKES, ids=lambda text: text[:70].replace("\0", "NUL"))
def test_a_mistake_on_the_command_line_is_named(line: str, first: str, second: str) -> None:
    for name in ("pipe", "pipe.yaml"):
        os.mkfifo(name)
    before = everything_but_pipes()
    code, out, err = run(*words_of(line))
    assert code in DOCUMENTED, (code, out[:300], err[:300])
    assert len(err) < 12_000
    for word in (first, second):
        assert word in err + (out if not line else "")
    assert everything_but_pipes() == before


def everything_but_pipes() -> dict[str, bytes]:
    pipes = [path for path in Path().iterdir() if path.is_fifo()]
    for path in pipes:
        path.unlink()
    found = everything()
    for path in pipes:
        os.mkfifo(path)
    return found
