"""The tutorials: each source runs, and its notebook is what the source says and does."""

import json
import os
import re
import runpy
import subprocess
import sys

import pytest
from matplotlib import pyplot

from tutorials import build

SOURCES = {path.stem: path for path in build.sources()}
# It trains on real digits for half a minute.
LONG = ("07_train_and_watch",)
LARGEST = 1_500_000  # bytes
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
OVERVIEW = "00_the_agent_in_ten_minutes"
IMAGE = re.compile(r'<img alt="([^"]*)" style="[^"]*" src="data:image/')


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
def test_source_runs_and_prints_what_its_notebook_shows(
    name, tmp_path, monkeypatch, capsys
):
    """Without Jupyter, from anywhere, its asserts hold, and it writes no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(build.HERE), *sys.path])
    monkeypatch.delitem(sys.modules, "common", raising=False)  # it sets the style
    with pyplot.rc_context({"backend": "agg"}):
        runpy.run_path(str(SOURCES[name]), run_name="__main__")
    pyplot.close("all")
    found = capsys.readouterr().out
    printed = "".join(text(o["text"]) for o in outputs(read(name), "stream"))
    assert NUMBER.sub("#", found) == NUMBER.sub("#", printed)
    for one, shown in zip(NUMBER.findall(found), NUMBER.findall(printed)):
        assert alike(float(one), float(shown), name), (one, shown)
    assert not list(tmp_path.iterdir())


def test_a_source_is_a_plain_script(tmp_path):
    """All of them begin alike: the first is run as a reader would."""
    command = [sys.executable, SOURCES[OVERVIEW]]
    environment = os.environ | {"MPLBACKEND": "agg"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    assert not list(tmp_path.iterdir())


def alike(found, shown, name):
    """Tell whether two numbers differ only as those of two processors may.

    Rounding errors differ by any factor; what a run of training ends at, by a few
    digits of 1,000. A test of its own holds those to a range, in the chapter.
    """
    if max(abs(found), abs(shown)) < 1e-9:
        return True
    return abs(found - shown) <= (0.3 if name in LONG else 0.02) * max(
        abs(found), abs(shown)
    ) + (3 if name in LONG else 1e-9)


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_holds_its_source(name):
    """Code and text of the notebook are those of the source, cell by cell.

    Only the cell that fetches the package comes in addition, after the first.
    """
    cells = build.complete(name, build.address())
    first, setup, *others = cells
    assert [(first[0], first[1].partition("\n\nOpen in ")[0]), *others] == build.cells(
        SOURCES[name].read_text("utf-8")
    )
    assert setup[0] == "setup"
    found = [(c["cell_type"], text(c["source"])) for c in read(name)["cells"]]
    assert [source for _, source in found] == [source for _, source in cells]
    for (kind, _), cell in zip(cells, read(name)["cells"]):
        assert cell["cell_type"] == ("markdown" if kind == "markdown" else "code")
        hidden = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        assert hidden == (kind in ("figure", "setup"))


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
    """Each picture is an image with its caption as alternative text."""
    notebook = read(name)
    pictures = 0
    for cell, below in zip(notebook["cells"], notebook["cells"][1:]):
        shown = [
            text(o.get("data", {}).get("text/html", ""))
            for o in cell.get("outputs", [])
        ]
        drawn = [page for page in shown if "<img" in page]
        assert len(drawn) <= 1
        for page in drawn:
            (words,) = IMAGE.findall(page)
            assert text(below["source"]).startswith(build.CAPTION)
            assert len(words) > 80 and "\\" not in words
            pictures += 1
        kinds = {kind for o in cell.get("outputs", []) for kind in o.get("data", {})}
        assert not kinds & {"image/png", "image/svg+xml"}
    assert pictures >= 2


@pytest.mark.slow
def test_pictures_are_described_in_a_page():
    """The descriptions of a notebook's pictures survive the conversion to HTML."""
    nbconvert = pytest.importorskip("nbconvert")  # of the extra tutorials
    path = SOURCES[OVERVIEW].with_suffix(".ipynb")
    page, _ = nbconvert.HTMLExporter().from_filename(str(path))
    shown = outputs(read(OVERVIEW), "display_data")
    pages = "".join(text(o["data"].get("text/html", "")) for o in shown)
    described = IMAGE.findall(pages)
    assert described == re.findall('<img [^>]*?alt="([^"]{80,})"', page)
    assert len(described) >= 2


@pytest.mark.parametrize("name", SOURCES)
def test_notebook_is_small(name):
    """It opens on a slow line, and git can keep it."""
    assert SOURCES[name].with_suffix(".ipynb").stat().st_size <= LARGEST


@pytest.mark.parametrize("name", SOURCES)
def test_chapter_has_its_parts(name):
    """Motivation, what you'll do, learn and need, running time, summary, exercises."""
    cells = build.cells(SOURCES[name].read_text("utf-8"))
    first, last = cells[0][1], cells[-1][1]
    assert first.startswith(f"# {int(name[:2])}. ")
    motivation = first.index("**What you'll do.**")
    assert motivation > 300
    for words in ("learn", "need"):
        assert f"**What you'll {words}.**" in first or f"**What you {words}.**" in first
    assert re.search(r"\*\*Running time\.\*\* .* (seconds|minute)", first)
    text_cells = "\n".join(source for kind, source in cells if kind == "markdown")
    assert text_cells.count("> **In short.**") == 1
    if name != OVERVIEW:
        assert "## In practice, and in the paper\n" in last
        exercises = last.partition("## Exercises\n")[2]
        assert f"`exercises/{name}.py`" in exercises
        assert re.findall(r"^(\d)\. ", exercises, re.MULTILINE) == ["1", "2", "3"]


def test_chapters_link_to_the_previous_and_the_next():
    """The second line of each leads to its neighbours, and to the table of contents."""
    names = list(SOURCES)
    for i, name in enumerate(names):
        first = build.cells(SOURCES[name].read_text("utf-8"))[0][1]
        links = re.findall(r"\]\(([^)]+)\)", first.split("\n\n")[1])
        expected = [f"{names[j]}.ipynb" for j in (i - 1, i + 1) if 0 <= j < len(names)]
        assert sorted(links) == sorted([*expected, "README.md"])


def test_the_readme_states_each_chapter_s_running_time():
    """The same as the chapter does."""
    readme = (build.HERE / "README.md").read_text("utf-8")
    rows = re.findall(r"\((\d\d\w+)\.ipynb\) .* \| (\d+) s \|\n", readme)
    cards = {
        name: re.search(r"Running time\.\*\* (\d+) seconds", path.read_text("utf-8"))[1]
        for name, path in SOURCES.items()
    }
    assert dict(rows) == cards


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
