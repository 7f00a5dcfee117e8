"""Make the notebooks from their sources: python -m tutorials.build [NUMBER ...].

A source is a script in percent format: `# %%` starts a cell of code, `# %% [markdown]`
one of text, whose lines are comments, `# %% figure` one of code that only draws, which a
notebook shows folded. A notebook is its source, executed, after a cell that fetches the
package where the notebook was opened alone; its pictures are SVG, and the text below a
picture is its alternative text.

The repository's public address is [project.urls] Source in pyproject.toml. While that is
missing, the first cell asks for it, and no notebook has links to Colab and Binder.
"""

import base64
import html
import itertools
import os
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
MARKDOWN = "# %% [markdown]"
CODE = "# %%"
FIGURE = "# %% figure"
KINDS = {MARKDOWN: "markdown", CODE: "code", FIGURE: "figure"}
CAPTION = "**Figure.** "
METADATA = {
    "markdown": {},
    "code": {},
    "figure": {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]},
    "setup": {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]},
}
# A picture shrinks to this share of its size on a phone; a wider one scrolls.
SMALLEST = 0.54
SETUP = """\
# Was this page opened alone, as in Colab? Then fetch the package and the other files.
import os
import subprocess
import sys

if not os.path.exists("common.py"):
    if not os.path.exists("ramnp"):
        address = "ADDRESS"
        address = address or input("Address of the repository, as for git clone: ")
        subprocess.run(["git", "clone", "--depth", "1", address, "ramnp"], check=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "./ramnp"], check=True)
    os.chdir("ramnp/tutorials")
    sys.path.insert(0, os.getcwd())"""


def sources():
    """Return the paths of all tutorials' sources, in reading order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def cells(text):
    """Return the cells of a source, [("markdown", "code" or "figure", text)]."""
    found = []
    for line in text.splitlines():
        if line in KINDS:
            found.append((KINDS[line], []))
        elif not found:
            raise ValueError(f"{line!r} stands before the first cell")
        elif found[-1][0] == "markdown" and line:
            if not (line == "#" or line.startswith("# ")):
                raise ValueError(f"{line!r} is code in a cell of text")
            if line.startswith("# %"):
                raise ValueError(f"{line!r} would be a comment in the site's dialect")
            found[-1][1].append(line[2:])
        else:
            found[-1][1].append(line)
    return [(kind, "\n".join(lines).strip("\n")) for kind, lines in found]


def address():
    """Return the repository's public address, or an empty string."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
    return project["project"]["urls"].get("Source", "").removesuffix("/")


def links(name, repository):
    """Return links that open a chapter in Colab and Binder, if GitHub has it."""
    host, _, path = repository.partition("https://github.com/")
    if host or not path:
        return ""
    colab = f"https://colab.research.google.com/github/{path}/blob/main/tutorials"
    binder = f"https://mybinder.org/v2/gh/{path}/HEAD?labpath=tutorials%2F"
    return f"Open in [Colab]({colab}/{name}.ipynb) · [Binder]({binder}{name}.ipynb)"


def complete(name, repository):
    """Return the cells of a notebook: a chapter's, its links and the fetching cell."""
    (kind, head), *others = cells((HERE / f"{name}.py").read_text("utf-8"))
    head = "\n\n".join(filter(None, [head, links(name, repository)]))
    setup = SETUP.replace("ADDRESS", repository)
    return [(kind, head), ("setup", setup), *others]


def notebook(found):
    """Return a notebook of such cells, not yet executed."""
    import nbformat

    v4 = nbformat.v4
    make = {"markdown": v4.new_markdown_cell}
    found = [
        make.get(kind, v4.new_code_cell)(
            cell, id=f"cell-{i:02d}", metadata=METADATA[kind]
        )
        for i, (kind, cell) in enumerate(found)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=found, metadata={"kernelspec": kernel})


def execute(unexecuted):
    """Run a notebook's cells in order, in a fresh kernel; fill in what they print."""
    from nbclient import NotebookClient

    NotebookClient(
        unexecuted, timeout=600, record_timing=False, resources=_run_in(HERE)
    ).execute()
    # The version of Python is none of the notebook's business.
    unexecuted.metadata["language_info"] = {"name": "python"}
    for cell in unexecuted.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = _join_streams(cell.outputs)
    _caption_images(unexecuted.cells)


def _run_in(folder):
    return {"metadata": {"path": str(folder)}}


def _join_streams(outputs):
    """Join what was printed in several pieces, which differ from run to run."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        same = output.output_type == "stream" and output.get("name") == last.get("name")
        if same:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def _caption_images(found):
    """Make each picture an <img> whose alternative text is the caption below it.

    The pages that notebooks are turned into drop the alternative text of a picture, but
    keep HTML as it is.
    """
    for cell, below in itertools.pairwise(found):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in ("image/svg+xml", "image/png"):
                if kind not in data:
                    continue
                first = below.source.split("\n\n")[0]
                if not first.startswith(CAPTION):
                    raise ValueError(f"a picture without a caption: {first!r}")
                data = {"text/html": _image(kind, data[kind], caption_text(first))}
                output.data = data | {"text/plain": "a picture"}
                output.metadata = {}


def caption_text(caption):
    """Return a caption without its marks, as it is read aloud."""
    words = caption.removeprefix(CAPTION).replace("\n", " ")
    return re.sub(r"\\mathrm|\\text|[$*\\{}]", "", words)


def _image(kind, content, words):
    if kind == "image/svg+xml":
        points = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', content)[1])
        width = round(points * 96 / 72)
        content = base64.b64encode(content.encode("utf-8")).decode("ascii")
    else:
        width = int.from_bytes(base64.b64decode(content)[16:20])  # in its header
    content = content.replace("\n", "")
    return (
        f'<div style="overflow-x:auto"><img alt="{html.escape(words)}" '
        f'style="max-width:100%;min-width:{SMALLEST * width:.0f}px;height:auto;'
        f'background:#fff" src="data:{kind};base64,{content}"></div>'
    )


def main(arguments):
    """Build the notebooks whose numbers are given, or all."""
    import nbformat

    # Sums are rounded alike, however many cores there are.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for path in sources():
        if arguments and path.name[:2] not in arguments:
            continue
        made = notebook(complete(path.stem, address()))
        execute(made)
        target = path.with_suffix(".ipynb")
        target.write_text(nbformat.writes(made) + "\n", "utf-8")
        print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
