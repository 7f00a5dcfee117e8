"""Build the site: python docs/website.py [FOLDER].

README, docs, tutorials with their outputs, and the API reference out of docstrings. The
pages are copied into one tree that mirrors this one, so that their links hold.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
INDEX = """
```{toctree}
:hidden:
:caption: ramnp

tutorials/README
docs/MAP
docs/COMMANDS
docs/OWN_DATA
docs/CHANGE
docs/METRICS
docs/SETTINGS
docs/RESULTS
docs/PAPER
docs/SPEED
docs/GRADIENTS
docs/RELIABILITY
api
data/README
results/TABLE
results/LOG
benchmarks/README
fuzz/README
CONTRIBUTING
CHANGELOG
```
"""
# The public functions, in reading order.
MODULES = """
agent.glimpse_sensor agent.layers agent.glimpse_network agent.core_network
agent.location_network agent.action_network agent.baseline_network agent.model
learning.reinforce learning.gradient learning.optimizers learning.trainer
learning.evaluation learning.predictor learning.choices datasets.scenes datasets.mnist
"""


def stage(folder):
    """Copy the sources of the site into a folder, with an index and an API page."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, files.split("\0")):
        target = folder / name
        if name.startswith((".", "tests/")) or not (ROOT / name).exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for page in folder.rglob("*.md"):
        page.write_text(_within(page, page.read_text("utf-8")), "utf-8")
    with open(folder / "README.md", "a", encoding="utf-8") as readme:
        known = [
            line
            for line in INDEX.splitlines()
            if "/" not in line or (folder / f"{line}.md").exists()
        ]
        readme.write("\n".join(known) + "\n")
    chapters = sorted(path.stem for path in (folder / "tutorials").glob("*.ipynb"))
    with open(folder / "tutorials" / "README.md", "a", encoding="utf-8") as readme:
        readme.write("\n```{toctree}\n:hidden:\n\n" + "\n".join(chapters) + "\n```\n")
    sections = [
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: ramnp.{name}\n```\n"
        for name in MODULES.split()
    ]
    (folder / "api.md").write_text("# API\n\n" + "\n".join(sections), "utf-8")


def _within(page, text):
    """Return a page whose links work in the site.

    Links to folders, and to what is not copied, become plain text; anchors are written
    as Sphinx makes them, not as Jupyter does.
    """

    def changed(link):
        words, target, anchor = link.groups()
        if target == "docs/watch.html":
            return f'<a href="watch.html">{words}</a>'
        leads = (
            not target or target.startswith("http") or (page.parent / target).is_file()
        )
        slug = re.sub(r"[^#\w-]", "", anchor or "").lower()
        return f"[{words}]({target}{slug})" if leads else words

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)#]*)(#[^)]*)?\)", changed, text)


def main(arguments):
    """Build the site into a folder, by default build/site; warnings are errors."""
    target = Path(arguments[0]) if arguments else ROOT / "build" / "site"
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
        command += ["-c", str(ROOT / "docs"), folder, str(target)]
        code = subprocess.call(command)
    shutil.copy(ROOT / "docs" / "watch.html", target)
    shutil.copy(target / "README.html", target / "index.html")
    print(target / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
