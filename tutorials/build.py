"""Make the notebooks from their sources: python -m tutorials.build [NUMBER ...].

A source is a script in percent format: `# %%` starts a cell of code, `# %% [markdown]`
one of text, whose lines are comments. A notebook is its source, executed.
"""

import itertools
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
MARKDOWN = "# %% [markdown]"
CODE = "# %%"
CAPTION = "**Figure.** "


def sources():
    """Return the paths of all tutorials' sources, in reading order."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def cells(text):
    """Return the cells of a source, [("markdown" or "code", text)]."""
    found = []
    for line in text.splitlines():
        if line in (MARKDOWN, CODE):
            found.append(("markdown" if line == MARKDOWN else "code", []))
        elif not found:
            raise ValueError(f"{line!r} stands before the first cell")
        elif found[-1][0] == "markdown" and line:
            if not (line == "#" or line.startswith("# ")):
                raise ValueError(f"{line!r} is code in a cell of text")
            found[-1][1].append(line[2:])
        else:
            found[-1][1].append(line)
    return [(kind, "\n".join(lines).strip("\n")) for kind, lines in found]


def notebook(text):
    """Return a notebook, not yet executed, with the cells of a source."""
    import nbformat

    v4 = nbformat.v4
    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    found = [
        make[kind](cell, id=f"cell-{i:02d}")
        for i, (kind, cell) in enumerate(cells(text))
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
            cell.metadata.clear()
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
    """Give each picture, as alternative text, the caption that follows its cell."""
    for cell, below in itertools.pairwise(found):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                first = below.source.split("\n\n")[0]
                if not first.startswith(CAPTION):
                    raise ValueError(f"a picture without a caption: {first!r}")
                words = first.removeprefix(CAPTION).replace("\n", " ")
                words = re.sub(r"\\mathrm|[$*\\{}]", "", words)
                output.metadata["image/png"] = {"alt": words}


def main(arguments):
    """Build the notebooks whose numbers are given, or all."""
    import nbformat

    from ramnp.support import process

    process.configure()  # sums are rounded alike, however many cores there are
    for path in sources():
        if arguments and path.name[:2] not in arguments:
            continue
        made = notebook(path.read_text("utf-8"))
        execute(made)
        target = path.with_suffix(".ipynb")
        target.write_text(nbformat.writes(made) + "\n", "utf-8")
        print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
