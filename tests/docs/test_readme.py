"""The links of every page lead somewhere; README and docs say all, and in short."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ramnp.learning import diagnostics
from ramnp.runs import agent_file
from tests.helpers import small_split

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.check_output(
    ["git", "ls-files", "*.md", "*.ipynb"], cwd=ROOT, text=True
)
PAGES = [ROOT / name for name in TRACKED.splitlines()]
README = (ROOT / "README.md").read_text("utf-8")


def text_of(page):
    """Return the text of a page, or that of a notebook's Markdown, without code."""
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        texts = [c["source"] for c in cells if c["cell_type"] == "markdown"]
        text = "\n\n".join(map("".join, texts))
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and Jupyter make them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    if page.suffix == ".md":
        headings = [re.sub(r"[^\w\s-]", "", words).lower() for words in headings]
    return {words.replace(" ", "-") for words in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    """To a file that exists, and to a heading in it."""
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", text_of(page)):
        if not target.startswith("http"):
            file = page.parent / target if target else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), (target, anchor)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_page_names_is_there(page):
    """In its file, or, as `::name`, in the file named before; tests/a stands for any."""
    file = ""
    text = text_of(page).replace("tests/a/test_b.py", "")
    for path, test in re.findall(r"`([\w/]*test_\w+\.py)?(?:::(\w+))?", text):
        file = path or file  # "::name" continues the file before it
        if path or test:
            source = ROOT / "tests" / file.removeprefix("tests/")
            assert f"def {test}" in source.read_text("utf-8"), (file, test)


def test_the_map_has_every_file():
    """Each source file is named in docs/MAP.md, in the row of its room."""
    text = (ROOT / "docs" / "MAP.md").read_text("utf-8")
    lesson, _, text = text.partition("## Every file")
    rooms = dict(re.findall(r"\| `([\w/]+)/` \| (.*) \|", text))
    for path in sorted((ROOT / "ramnp").rglob("*.py")):
        room, stem = path.parent.name, path.stem
        in_lesson = f"../ramnp/{room}/{path.name}" in lesson
        assert stem == "__init__" or in_lesson or f"`{stem}`" in rooms[room], path
    assert {*rooms} == {"ramnp"} | {
        path.parent.name for path in (ROOT / "ramnp").glob("*/__init__.py")
    }


def test_the_readme_is_short():
    """At most 900 words and 60 numbers: the rest is in docs/."""
    assert len(README.split()) <= 900
    assert len(re.findall(r"(?<![\w.])\d[\d,.]*", README)) <= 60


def test_the_code_of_the_readme_runs(tmp_path):
    """Pasted into a folder with a picture, it says a class and where it looked."""
    digit = small_split(0, 1).images[0]
    Image.fromarray(digit).convert("RGB").save(tmp_path / "picture.png")
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    printed = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert re.match(r"\[\d\] [01]\.\d+\n\[\[\[", printed), printed


def test_metrics_are_all_explained():
    """Each key of metrics.jsonl and result.json has its line in docs/METRICS.md."""
    text = (ROOT / "docs" / "METRICS.md").read_text("utf-8")
    result = (ROOT / "data" / "trained" / "centered.json").read_text("utf-8")
    keys = {*agent_file.METRICS, *diagnostics.METRICS, *re.findall(r'"(\w+)":', result)}
    assert not {key for key in keys if f"`{key}`" not in text}
