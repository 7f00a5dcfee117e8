"""What is drawn for each trial of a search, and what its folder tells."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from ramnp.study import trials
from ramnp.study.jobs import Outcome
from ramnp.support.errors import UserError

FIXED = {"task": "centered", "recipe": "paper", "seed": 3}


def search_of(*texts, folder="unused", **fixed):
    return trials.Search(str(folder), trials.read_samples(texts), FIXED | fixed)


def drawn(name, text, count=400, **fixed):
    """Return what `count` trials have drawn for one setting."""
    search = search_of(text, **fixed)
    return [search.trial(number).drawn[name] for number in range(count)]


def test_numbers_are_uniform_or_uniform_in_their_logarithm():
    """Between the ends, and half of them on either side of the middle."""
    for kind, low, high, middle in (
        ("uniform", 0.1, 0.5, 0.3),
        ("log", 1e-4, 1e-2, 1e-3),
    ):
        values = np.array(drawn("learning_rate", f"learning_rate={kind}:{low}:{high}"))
        assert low <= values.min() < values.max() <= high
        assert abs((values < middle).mean() - 0.5) < 0.1
        assert abs((values < middle * (low / middle) ** 0.5).mean() - 0.25) < 0.1 or (
            kind == "uniform"
        )


def test_integers_are_rounded():
    """Those of a choice are as given."""
    values = drawn("num_rollouts", "training-rollouts=uniform:1:3")
    assert Counter(map(type, values)) == {int: 400}
    assert {*values} == {1, 2, 3}
    assert {*drawn("num_rollouts", "num_rollouts=log:1:8")} == {*range(1, 9)}
    assert {*drawn("num_rollouts", "--training-rollouts=choice:1,10")} == {1, 10}


def test_choices_have_the_type_of_their_setting():
    """Words, numbers, and true or false."""
    assert {*drawn("locator_bound", "locator-bound=choice:tanh,hard-tanh")} == {
        *("tanh", "hard-tanh")
    }
    values = {*drawn("policy_into_core", "policy_into_core=choice:true,false")}
    assert values == {True, False} and {*map(type, values)} == {bool}
    assert {*drawn("momentum", "momentum=choice:0,0.5")} == {0.0, 0.5}
    assert {*drawn("recipe", "recipe=choice:paper,best")} == {"paper", "best"}
    assert {*drawn("seed", "seed=choice:5,6")} == {5, 6}


def test_a_trial_depends_on_the_seed_and_its_number_alone():
    """Not on the order of the options, nor on how many trials there are."""
    texts = ["momentum=uniform:0:0.9", "learning_rate=log:1e-3:0.1"]
    one, other = search_of(*texts), search_of(*reversed(texts))
    assert [one.trial(i).drawn for i in range(3)] == [
        other.trial(i).drawn for i in range(3)
    ]
    values = {one.trial(i).drawn["momentum"] for i in range(3)}
    values |= {search_of(*texts, seed=4).trial(i).drawn["momentum"] for i in range(3)}
    assert len(values) == 6
    assert one.trial(0).drawn["momentum"] / 0.9 != pytest.approx(
        math.log(one.trial(0).drawn["learning_rate"] / 1e-3, 100)
    )


def test_options_repeat_a_trial():
    """Its settings, fixed and drawn, and the data."""
    search = search_of("momentum=choice:0.25", batch_size=7)._replace(data="a.npz")
    assert search.trial(0).options == [
        *("--task", "centered", "--recipe", "paper", "--seed", "3"),
        *("--batch-size", "7", "--momentum", "0.25", "--data", "a.npz"),
    ]
    config = search.trial(0).config
    assert (config.batch_size, config.momentum, config.seed) == (7, 0.25, 3)
    assert search.trial(0).run.epochs == config.epochs


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "--sample is missing: give NAME=uniform:a:b, "),
        (["momentum"], "give NAME=uniform:a:b, NAME=log:a:b or NAME=choice:x,y,z"),
        (["momentum=normal:0:1"], "give NAME=uniform:a:b, "),
        (["momentum=0.5"], "give NAME=uniform:a:b, "),
        (["momentun=uniform:0:1"], "no setting momentun; did you mean momentum?"),
        (["=uniform:0:1"], "there is no setting "),
        (["momentum=uniform:0.5:0.1"], "0.5 is not less than 0.1"),
        (["momentum=uniform:0.5:0.5"], "0.5 is not less than 0.5"),
        (["momentum=uniform:0.5"], "give uniform:a:b"),
        (["momentum=uniform:0:0.1:0.2"], "give uniform:a:b"),
        (["momentum=uniform:a:0.1"], "'a' is no number"),
        (["momentum=uniform::0.1"], "'' is no number"),
        (["learning_rate=uniform:nan:1"], "'nan' is no number"),
        (["learning_rate=log:1:inf"], "'inf' is no number"),
        (["momentum=log:0:0.1"], "the logarithm of 0 does not exist"),
        (["momentum=uniform:0:1"], "--momentum 1.0: must be at most 0.9999"),
        (["learning_rate=uniform:0:1"], "--learning-rate 0.0: must be more than 0.0"),
        (["batch_size=uniform:0.2:9"], "--batch-size 0: must be at least 1"),
        (["core=uniform:0:1"], "core is no number: give choice:x,y,z"),
        (["core=choice:lstm"], "--core lstm: choose one of rectified"),
        (["policy_into_core=log:1:2"], "policy_into_core is no number"),
        (["policy_into_core=choice:yes"], "'yes' is not true or false"),
        (["batch_size=choice:1.5"], "'1.5' is not a whole number"),
        (["momentum=choice:"], "'' is not a number"),
        (["momentum=choice:0.1,,0.2"], "'' is not a number"),
        (["momentum=choice:0.1,0.10"], "a choice is given twice"),
        (["num_rollouts=choice:1,2", "training-rollouts=log:1:9"], "is sampled twice"),
    ],
)
def test_a_sample_that_cannot_be_drawn_is_one_line(texts, words):
    """The line names the option and what is wrong with it."""
    with pytest.raises(UserError) as error:
        trials.read_samples(texts)
    (line,) = str(error.value).splitlines()
    assert line.startswith("--sample ") and words in line
    assert not texts or texts[-1] in line


def test_a_folder_belongs_to_one_search(tmp_path):
    """Any other is told, and changes nothing."""
    folder = tmp_path / "found"
    text = "learning_rate=log:1e-3:0.1"
    search_of(text, folder=folder).open()
    kept = (folder / "search.json").read_text()
    search_of("learning-rate=log:0.001:1e-1", folder=folder).open()  # the same
    for other, words in (
        (
            search_of("learning_rate=log:1e-3:1", folder=folder),
            "--sample learning_rate",
        ),
        (search_of(text, "momentum=log:0.1:0.2", folder=folder), "--sample momentum "),
        (search_of(text, folder=folder, seed=4), "--seed 3, not 4"),
        (search_of(text, folder=folder, epochs=4), "--epochs None, not 4"),
        (search_of(text, folder=folder)._replace(data="a"), "--data None, not a"),
    ):
        with pytest.raises(UserError, match="choose another folder") as error:
            other.open()
        assert words in str(error.value)
    assert (folder / "search.json").read_text() == kept
    (folder / "search.json").write_text("[")
    with pytest.raises(UserError, match="damaged"):
        search_of(text, folder=folder).open()


def test_a_folder_with_anything_else_is_refused(tmp_path):
    """Nothing is written into it."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="holds something else"):
        search_of("momentum=uniform:0:0.9", folder=tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def put(trial, *errors, result=True):
    """Write the files of a trial that had these validation errors."""
    from pathlib import Path

    folder = Path(trial.folder)
    folder.mkdir(parents=True)
    rows = [
        {
            "epoch": i,
            "valid_error": error,
            "seconds": 60 * i,
            "deterministic_minus_sampled": -0.125 * i,
        }
        for i, error in enumerate(errors, 1)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text)
    (folder / "config.json").write_text("{}")
    if result:  # only its presence counts: the test scenes take no part
        (folder / "result.json").write_text("not read")


def test_a_trial_is_judged_by_its_lowest_validation_error(tmp_path):
    """Once its run is over; never by the test scenes."""
    search = search_of("momentum=uniform:0:0.9", folder=tmp_path)
    done, under_way, new = map(search.trial, range(3))
    put(done, 5.0, 3.0, 4.0)
    put(under_way, 5.0, result=False)
    assert str(done.ended()) == "validation error 3.00 %"
    assert done.ended().minutes == 3 and done.ended().best["epoch"] == 2
    assert under_way.ended() is new.ended() is None
    (tmp_path / "trial-000" / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="trial-000 is damaged: remove it"):
        done.ended()


def test_only_certain_failures_are_kept(tmp_path):
    """A run that diverged or never began would fail again; one that was killed may not."""
    search = search_of("momentum=uniform:0:0.9", folder=tmp_path)
    diverged, refused, killed = map(search.trial, range(3))
    put(diverged, 90.0, result=False)
    put(killed, 90.0, result=False)
    assert diverged.fail(Outcome(3, "error: step 5: it diverged"))
    assert refused.fail(Outcome(2, "error: too\nlarge"))
    assert not killed.fail(Outcome(-9, ""))
    assert [str(trial.ended()) for trial in (diverged, refused, killed)] == [
        *("step 5: it diverged", "too large", "None")
    ]


def test_settings_that_exclude_each_other_are_a_row(tmp_path):
    """Found before anything is trained."""
    search = search_of(
        "num_rollouts=choice:1", folder=tmp_path, baseline="leave-one-out"
    )
    trial = search.trial(0)
    assert "leave-one-out" in trial.impossible
    assert str(trial.ended()) == trial.impossible
    assert search_of("num_rollouts=choice:2").trial(0).impossible is None


def test_the_table_is_sorted_by_validation_error(tmp_path):
    """Trials without a result come last, each with its reason, their order kept."""
    search = search_of("momentum=uniform:0:0.9", "h_size=choice:8,9", folder=tmp_path)
    found = [search.trial(number) for number in range(5)]
    put(found[0], 5.0, 30.0)
    put(found[1], 90.0, result=False)
    found[1].fail(Outcome(3, "error: a | b"))
    put(found[2], 4.126)
    killed = {3: trials.Ended(found[3], reason="killed 3 times")}
    said = search.publish(found, killed)
    text = (tmp_path / "TRIALS.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert "4 of 5 trials" in text and "test" not in text
    assert table[0].split(" | ")[-3:] == ["momentum", "h_size", "note |"]
    rows = [line.split(" | ") for line in table[2:]]
    assert [row[0] for row in rows] == ["| 2", "| 0", "| 1", "| 3"]
    assert rows[0][1:5] == ["4.13", "-0.12", "1", "1.0"]
    assert rows[1][1:5] == ["5.00", "-0.12", "1", "2.0"]
    assert rows[0][5] == f"{found[2].drawn['momentum']:.4g}"
    assert table[4].endswith("| a \\| b |") and table[5].endswith("| killed 3 times |")
    assert (tmp_path / "trials.png").exists()
    assert said[:2] == [
        f"the table: {tmp_path}/TRIALS.md",
        f"the figure: {tmp_path}/trials.png",
    ]
    assert said[2].startswith("the best, trial 2, validation error 4.13 %: python -m ")
    assert said[2].partition(": ")[2] in text
