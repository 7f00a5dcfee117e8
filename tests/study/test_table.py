"""TABLE.md: every row, both published columns, and ours from the results."""

import dataclasses
import json
import math
import os
import shlex
from pathlib import Path
from statistics import mean, stdev

import pytest
from scipy.stats import t as student_t

from ramnp import train
from ramnp.learning.recipes import (
    BEST_PUBLISHED,
    PAPER_ERRORS,
    TABLES,
    TASKS,
    make_config,
)
from ramnp.runs import run_folder
from ramnp.study import rows
from ramnp.study import table as tables
from ramnp.support.errors import UserError


@pytest.fixture
def results(tmp_path):
    return str(tmp_path / "results")


def put(results, table, row, config, data=None, steps=None, **numbers):
    """Write a result as a run leaves it, with metrics if its steps are given."""
    folder = os.path.join(results, rows.Job(table, row, config).folder)
    os.makedirs(folder)
    numbers = {"test_error": 1.0, "test_error_rollouts": 0.5, "seconds": 60} | numbers
    for name, fields in (
        ("config.json", dataclasses.asdict(config) | {"data": data}),
        ("result.json", numbers),
    ):
        with open(os.path.join(folder, name), "w") as file:
            json.dump(fields, file)
    if steps:
        with open(os.path.join(folder, "metrics.jsonl"), "w") as file:
            file.write(f'{{"step": 1}}\n{{"step": {steps}}}\n')


def lines_of(results, table, row, text=None):
    """Return the cells of each line of a row in TABLE.md, or in its text."""
    text = text or Path(tables.write_table(results)).read_text("utf-8")
    section = text.partition(f"## Table {table}")[2].partition("## ")[0]
    lines = [line for line in section.splitlines() if line.startswith(f"| `{row}` ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("table", TABLES)
def test_rows_without_results_have_the_papers_errors(table, results):
    """Both columns, with their question marks, and the command that fills the row."""
    text = Path(tables.write_table(results)).read_text("utf-8")
    for row in rows.row_names(table):
        (cells,) = lines_of(results, table, row, text)
        assert len(cells) == 13
        published = PAPER_ERRORS[TABLES[table]]
        if row in published:
            assert tuple(cells[2:4]) == published[row]
        assert cells[4:12] == ["not run yet", *[""] * 7]
        assert f"--task {TABLES[table]} " in cells[12]
    (headline,) = lines_of(results, "2a", "ram-6", text)
    assert headline[1:4] == ["RAM, 6 glimpses", "4.08", "5.88 ?"]
    (quick,) = lines_of(results, "2a", "quick", text)
    assert quick[1:4] == [
        "our quick RAM, 8 glimpses, digits deformed in training",
        "4.04",
        "5.23",
    ]


def test_the_recipe_quick_is_compared_with_the_paper(results):
    """Mean, one-sided p, and the arithmetic of a run; nothing for tasks without runs."""
    errors = [3.9, 3.7, 3.8, 4.1, 3.6]
    for row, shift in (("quick", 0.0), ("quick-plain", 1.0)):
        for seed, error in enumerate(errors):
            config = rows.row_config("2a", row, seed=seed)
            error += shift
            put(results, "2a", row, config, steps=1274, test_error=error)

    def line(task):
        with open(tables.write_table(results), encoding="utf-8") as file:
            section = file.read().partition("## The recipe quick")[2]
        line = next(x for x in section.splitlines() if x.startswith(f"| `{task}`"))
        return [cell.strip() for cell in line.strip("|").split("|")][1:]

    t = (4.04 - mean(errors)) / (stdev(errors) / math.sqrt(5))
    found = line("cluttered")
    assert found[:3] == ["4.04", "5.23", "3.82 ± 0.19"]
    assert float(found[3]) == pytest.approx(student_t(4).sf(t), rel=0.1)
    assert found[4:7] == ["4.82 ± 0.19", "5", "0.65"]
    # Eight glimpses, of ρ and l to h_g and h_l, these to g, g and h to h: three times
    # as much forward and backward, but for the map from ρ; the heads are small.
    step = 2 * 432 * 256 + 3 * (384 * 256 + 2 * 256**2)
    assert float(found[7]) == pytest.approx(8 * step / 1e6, rel=0.2)
    assert line("centered")[2:7] == ["not run yet", "", "", "", ""]


def test_seeds_are_averaged_with_their_spread(results):
    """Mean ± sample standard deviation, number, mean minutes, command of the first."""
    config = rows.row_config("1b", "ram-8")
    errors = [1.0, 1.5, 2.3]
    for seed in (2, 0, 1):
        put(
            *(results, "1b", "ram-8", dataclasses.replace(config, seed=seed)),
            test_error=errors[seed],
            test_error_rollouts=errors[seed] / 2,
            seconds=60 * (seed + 1),
        )
    (cells,) = lines_of(results, "1b", "ram-8")
    assert cells[:4] == ["`ram-8`", "RAM, 8 glimpses", "1.20", "1.84"]
    # ((0.6² + 0.1² + 0.7²) / 2)^½ = 0.656
    assert cells[4:6] == ["1.60 ± 0.66", "0.80 ± 0.33"]
    assert cells[8:12] == ["3", "250", "", "2.0"]
    assert cells[12] == (
        "`python -m ramnp.train --task translated --recipe paper --seed 0`"
    )


def test_one_seed_has_no_spread(results):
    """And a deterministic network has no error over rollouts."""
    put(results, "2b", "conv", rows.row_config("2b", "conv"), test_error=14.256)
    (cells,) = lines_of(results, "2b", "conv")
    assert cells[1:12] == [
        *("convolutional, 2 layers", "14.35 ?", "16.51"),
        *("14.26", "", "", "", "1", "60", "", "1.0"),
    ]


def test_a_policy_has_its_rollouts_and_where_reinforce_goes(results):
    """What earlier results do not tell stays empty."""
    config = rows.row_config("2b", "ram-8", num_rollouts=10)
    put(*(results, "2b", "ram-8", config), steps=25_000, test_error_deterministic=6.5)
    (cells,) = lines_of(results, "2b", "ram-8")
    assert cells[6:8] == ["6.50", "yes"] and cells[10] == "5"  # 25,000 · 20 · 10
    again = dataclasses.replace(config, seed=1)
    put(results, "2b", "ram-8", again)
    (cells,) = lines_of(results, "2b", "ram-8")
    assert cells[6:8] == ["", "yes"] and cells[10] == "5"
    alone = rows.row_config("2b", "ram-6", policy_into_core=False)
    put(results, "2b", "ram-6", alone)
    (cells,) = lines_of(results, "2b", "ram-6")
    assert cells[6:8] == ["", "no"] and cells[10] == ""
    random = rows.row_config("2b", "random-8")
    put(results, "2b", "random-8", random, steps=1000, test_error_deterministic=6.5)
    (cells,) = lines_of(results, "2b", "random-8")
    assert cells[6:8] == ["", ""] and cells[10] == "0.512"
    path = os.path.join(results, "2b", "ram-8", "seed-0", "metrics.jsonl")
    open(path, "w").close()
    with pytest.raises(UserError, match=r"metrics\.jsonl is damaged"):
        tables.write_table(results)


@pytest.mark.parametrize(
    ("deformation", "max_shift", "plain_share", "says"),
    [
        (2.0, 0, 0.5, ", digits deformed in training"),
        (0.0, 1, 0.0, ", digits shifted in training"),
        (0.5, 2, 0.0, ", digits deformed and shifted in training"),
        (0.5, 2, 1.0, ""),  # all epochs are plain
        (0.0, 0, 0.0, ""),
    ],
)
def test_a_row_names_its_augmentation(
    results, deformation, max_shift, plain_share, says
):
    """Comparisons depend on the training data."""
    config = make_config(
        *("centered", "best"),
        epochs=4,
        deformation=deformation,
        max_shift=max_shift,
        plain_share=plain_share,
    )
    put(results, "1a", "best", config)
    (cells,) = lines_of(results, "1a", "best")
    assert cells[1].endswith(f" glimpses{says}")


def test_on_a_canvas_no_shift_is_named(results):
    """There, --max-shift has no effect."""
    config = make_config("translated", "best", deformation=0.0, max_shift=1)
    put(results, "1b", "best", config)
    (cells,) = lines_of(results, "1b", "best")
    assert cells[1].endswith(" glimpses")


def test_runs_with_different_settings_are_never_averaged(results):
    """Each has its own line, with its own command."""
    for seed, changes in enumerate(({}, {"h_size": 300})):
        config = make_config("centered", "best", seed=seed, **changes)
        put(results, "1a", "best", config, test_error=seed)
    first, second = lines_of(results, "1a", "best")
    assert (first[4], second[4]) == ("0.00", "1.00")
    assert first[8] == second[8] == "1"
    assert "--h-size" not in first[12] and "--h-size 300 --seed 1" in second[12]


def test_the_command_of_a_result_does_not_depend_on_the_recipe(results, finished_run):
    """It can be pasted, including --data."""
    config, _ = run_folder.read_config(finished_run, {})
    put(results, "1a", "best", config, data="my digits.npz")
    (cells,) = lines_of(results, "1a", "best")
    words = shlex.split(cells[12].strip("`"))
    assert words[:3] == ["python", "-m", "ramnp.train"]
    options = train.parse(words[3:])
    assert options.data == "my digits.npz"
    for field in dataclasses.fields(config):
        value = getattr(options, field.name)
        assert value is None or value == getattr(config, field.name)


def test_the_same_results_make_the_same_table(results):
    """The table is a function of the results."""
    put(results, "1a", "best", rows.row_config("1a", "best"))
    made = []
    for _ in range(2):
        with open(tables.write_table(results), "rb") as file:
            made.append(file.read())
    assert made[0] == made[1]


def test_a_damaged_result_is_one_line(results):
    """No table is written without it."""
    put(results, "1a", "best", rows.row_config("1a", "best"), seconds=None)
    with pytest.raises(UserError, match=r"best/seed-0/result\.json is damaged"):
        tables.write_table(results)


@pytest.mark.parametrize("table", TABLES)
def test_the_readme_and_the_trained_agents_agree_with_the_results(table):
    """The README's line and the shipped agent are those of the committed run."""
    root = Path(__file__).parents[2]
    task = TABLES[table]
    folder = root / "results" / rows.Job(table, "best", make_config(task)).folder
    text = (folder / "result.json").read_text()
    assert (root / "data" / "trained" / f"{task}.json").read_text() == text
    assert rows.read_result(folder).config == make_config(task, "best")
    cells = _cells(root / "results" / "TABLE.md", "`best`", f"--task {task} ")
    ours, ten_rollouts, _, _, seeds, epochs, _, minutes, _ = cells[4:]
    (line,) = _lines(root / "docs" / "RESULTS.md", f"`{task}`")
    result = json.loads(text)
    low, high = result["interval_95"]
    shipped = f"{result['test_error']:.2f} ({low:.2f} to {high:.2f})"
    said = f"**{ours}**", ten_rollouts, seeds, epochs, minutes, shipped
    assert line.endswith(f" | {' | '.join(said)} |")
    headline = PAPER_ERRORS[task][f"ram-{TASKS[task]['num_glimpses']}"]
    quick = _cells(root / "results" / "TABLE.md", "`quick`", f"--task {task} ")[4]
    first = *headline, BEST_PUBLISHED[task], quick
    assert line.startswith(f"| `{task}` | {' | '.join(first)} | **")
    (short,) = _lines(root / "README.md", f"`{task}`")
    arxiv, _, best_published, _ = first
    mean = f"**{ours.partition(' ')[0]}**"
    assert short == f"| `{task}` | {arxiv} | {best_published} | {quick} | {mean} |"


def test_what_three_minutes_are_worth_is_the_committed_row():
    """docs/RESULTS.md has its errors and, in the next line, its epochs."""
    root = Path(__file__).parents[2]
    results = [
        rows.read_result(root / "results" / table / "quick-long" / "seed-0")
        for table in TABLES
    ]
    text = (root / "docs" / "RESULTS.md").read_text("utf-8")
    row, epochs = text.partition("| three minutes, ")[2].splitlines()[:2]
    errors = [f"{result.numbers['test_error']:.2f}" for result in results]
    assert row == f"one seed: `quick-long` | {' | '.join(errors)} |"
    numbers = " | ".join(str(result.config.epochs) for result in results)
    assert epochs == f"| `--epochs` | {numbers} |"
    for table, result in zip(TABLES, results):
        assert result.config == rows.row_config(table, "quick-long")


def _lines(path, first):
    """Return the lines of a table in Markdown with that first cell."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line.startswith(f"| {first} | ")]


def _cells(path, first, words):
    """Return the cells of the only such line that contains the words."""
    (line,) = [line for line in _lines(path, first) if words in line]
    return line.strip("| ").split(" | ")
