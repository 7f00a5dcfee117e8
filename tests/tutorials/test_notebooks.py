"""The tutorials: each source runs, and its notebook is what the source says and does."""

import json
import os
import re
import subprocess
import sys

import pytest

from tutorials import build

SOURCES = {path.stem: path for path in build.sources()}
# Those that train on real digits take most of a minute.
LONG = ("07_train_and_watch", "08_find_it_in_the_clutter")
LARGEST = 1_500_000  # bytes


def read(name):
    """Return the notebook of a tutorial."""
    return json.loads(SOURCES[name].with_suffix(".ipynb").read_text("utf-8"))


def text(lines):
    """Join what a notebook may hold as a list of lines."""
    return "".join(lines)


def outputs(notebook, kind):
    """Yield the outputs of that type in the order of the cells."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == kind:
                yield output


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in SOURCES
    ],
)
def test_source_runs_and_prints_what_its_notebook_shows(name, tmp_path):
    """As a plain script, from anywhere, without Jupyter, its asserts hold."""
    environment = os.environ | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "error", SOURCES[name]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    printed = "".join(text(o["text"]) for o in outputs(read(name), "stream"))
    assert run.stdout == printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_holds_its_source(name):
    """Code and text of the notebook are those of the source, cell by cell."""
    found = [(c["cell_type"], text(c["source"])) for c in read(name)["cells"]]
    assert found == build.cells(SOURCES[name].read_text("utf-8"))


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_was_executed_from_top_to_bottom(name):
    """Every cell of code ran, in order, in a fresh kernel, and none complained."""
    notebook = read(name)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    assert not [*outputs(notebook, "error")]
    assert all(o["name"] == "stdout" for o in outputs(notebook, "stream"))


@pytest.mark.parametrize("name", SOURCES)
def test_every_picture_is_described(name):
    """A cell draws one picture at most, and the text below it says what it shows."""
    notebook = read(name)
    pictures = 0
    for cell, below in zip(notebook["cells"], notebook["cells"][1:]):
        drawn = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        assert len(drawn) <= 1
        for output in drawn:
            assert text(below["source"]).startswith(build.CAPTION)
            assert len(output["metadata"]["image/png"]["alt"]) > 80
            pictures += 1
    shown = [*outputs(notebook, "display_data"), *outputs(notebook, "execute_result")]
    assert pictures == len(shown) >= 2


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_is_small(name):
    """It opens on a slow line, and git can keep it."""
    assert SOURCES[name].with_suffix(".ipynb").stat().st_size <= LARGEST


@pytest.mark.parametrize("name", SOURCES)
def test_tutorial_has_its_parts(name):
    """It opens with what you'll do, learn and need, and ends with three exercises."""
    cells = build.cells(SOURCES[name].read_text("utf-8"))
    first, last = cells[0][1], cells[-1][1]
    assert first.startswith(f"# {int(name[:2])}. ")
    for words in ("do", "learn", "need"):
        assert f"**What you'll {words}.**" in first or f"**What you {words}.**" in first
    assert "## In practice, and in the paper\n" in last
    exercises = last.partition("## Exercises\n")[2]
    assert f"`exercises/{name}.py`" in exercises
    assert re.findall(r"^(\d)\. ", exercises, re.MULTILINE) == ["1", "2", "3"]


def test_readme_links_lead_somewhere():
    """Every tutorial is listed, and every section that is linked to exists."""
    readme = (build.HERE / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", readme)
    for target, section in links:
        assert (build.HERE / target).exists(), target
        if section:
            source = (build.HERE / target).with_suffix(".py").read_text("utf-8")
            headings = re.findall(r"^# #+ (.+)$", source, re.MULTILINE)
            assert section in [h.replace(" ", "-") for h in headings], section
    linked = {target for target, _ in links}
    assert {f"{name}.ipynb" for name in SOURCES} <= linked
