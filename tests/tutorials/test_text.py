"""The text of the chapters: symbols with one meaning, numbers that a cell has."""

import ast
import json
import re

import pytest

from ramnp.learning import recipes
from tutorials import build

SOURCES = {path.stem: path for path in build.sources()}
GREEK = "rho|mu|sigma|pi|theta|lambda|eta|gamma|delta|beta|xi|tau"
SYMBOL = re.compile(
    rf"(\\(?:{GREEK})(?![a-zA-Z])|\\bar\s*\w|\\mathcal\{{\w\}}|(?<![a-zA-Z\\])[a-zA-Z])"
    r"(?:_(?:\{([^}]*)\}|(\w|\\\w+\{[^}]*\})))?(\^\*)?"
)
# A second meaning that a symbol once had, and the sentence that gave it.
SECOND_MEANINGS = {
    r"\be\^|[^\\]exp": "e is an error rate: write \\exp",
    r"2\s*\\pi|\\cos\s*\\pi": "π is the policy: write 180°",
    r"\\varepsilon|\\epsilon": "the step of a difference is δ",
    r"\\int.*\\mathrm\{d\}[^u]": "the measure of an integral is du",
    r"l_\{t\+1\}\)": "the choice of glimpse t is l_t",
}


def symbols(formula):
    """Return the symbols of a formula with those indices that name another thing.

    Counters, numbers and words after a symbol pick one of several: they are dropped.
    An index of time becomes t.
    """
    formula = re.sub(r"\\(text|mathrm|phantom)\{[^{}]*\}", "0", formula)
    found = set()
    for symbol, long, short, star in SYMBOL.findall(formula):
        index = re.sub(r"[\\,0-9]|[TIst]?[+-]1", "", long or short)
        index = "t" if (long or short)[:1] in ("t", "s", "T") else index
        named = index if index not in ("i", "j", "n", "ni", "ij", "nj") else ""
        found.add(symbol + (f"_{named}" if named else "") + star)
    return found


def test_symbols_are_read_from_a_formula():
    """With their indices of kind, without counters, words and commands."""
    formula = (
        r"\frac{1}{B} \sum_n b_{t+1} W_{hg} x_{ni} \log p_{n,\,\text{label}} + b^*"
    )
    assert symbols(formula) == {"B", "n", "b_t", "W_hg", "x", "p", "b^*"}
    assert symbols(r"\bar w \mathcal{N}(l_x; \mu_t) \sigma_{\text{first}}") == {
        *(r"\bar w", r"\mathcal{N}", "l_x", r"\mu_t", r"\sigma")
    }


def formulas(text):
    """Return what stands between dollar signs."""
    return re.findall(r"\$\$?([^$]+)\$\$?", text)


def table_of_symbols():
    """Return the symbols of each row of the README's table."""
    readme = (build.HERE / "README.md").read_text("utf-8")
    table = readme.partition("## Symbols")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\$[^|]*) \|", table, re.MULTILINE)
    return [set().union(*map(symbols, formulas(row))) for row in rows]


def test_a_symbol_has_one_row():
    """What stands for two things would need two rows."""
    rows = table_of_symbols()
    assert len(rows) > 30
    assert sorted(set().union(*rows)) == sorted(
        symbol for row in rows for symbol in row
    )


def test_symbols_are_those_of_the_table():
    """A chapter uses none without a row, a row has none that no chapter uses.

    And no second meaning comes back.
    """
    used = {}
    for name, path in SOURCES.items():
        cells = build.cells(path.read_text("utf-8"))
        for formula in formulas(
            "\n".join(t for kind, t in cells if kind == "markdown")
        ):
            used |= dict.fromkeys(symbols(formula), (name, formula))
            for pattern, instead in SECOND_MEANINGS.items():
                assert not re.search(pattern, formula), (name, formula, instead)
    listed = set().union(*table_of_symbols())
    assert {s: where for s, where in used.items() if s not in listed} == {}
    assert listed - used.keys() == set()


def test_arguments_of_exercises_are_those_of_the_table():
    """A stub's short argument is a symbol, in code: one meaning there, too."""
    listed = {re.sub(r"\W", "", symbol) for row in table_of_symbols() for symbol in row}
    listed |= {"dh", "dg", "dy", "a", "b"}  # gradients; two agents
    for path in (build.HERE / "exercises").glob("[0-9]*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                short = {a.arg for a in node.args.args if len(a.arg) <= 2}
                assert short <= listed, (path.name, node.name)


# Numbers of the text that no cell has, and why they are right.
GIVEN = {
    "00": {150},  # lines of ram.py: a test of its own
    "01": {0.25, 0.9},  # places in the figure
    "02": {200_000, 28},  # about as many weights as the first cell prints; MNIST
    "03": {128, 256},  # the paper's sizes, which Config has
    "05": {20},  # darts of moving.js
    "06": {150, 20, 0.9, 0.5, 0.1},  # the paper's batches and momentum; σ of the loop
    "07": {70_000, 60_000, 50_000, 2.5, 95},  # MNIST, and 5 % on two sides
    "08": {28, 50_000},  # MNIST
}
PAPER = {
    float(number.strip(" ?"))
    for task in recipes.PAPER_ERRORS.values()
    for row in task.values()
    for number in row
    if number != "-"
}
COUNTED = (
    r"chapters?|exercises?|section|steps?|glimpses?|patch|JMLR|Learning|batch(?:es)?"
)


def numbers(text):
    """Return the numbers of a text, without signs: 1,000 is one."""
    found = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?", text)
    return {float(number.replace(",", "")) for number in found}


def claimed(text):
    """Return the numbers of prose that a cell should have: (value, decimals, measured).

    With decimals or a percent sign, it is measured; else, it can be a setting. Formulas, code, links, small counts, years and numbers of chapters are not claims.
    """
    text = re.sub(r"\$\$?[^$]+\$\$?|`[^`]*`|\]\([^)]*\)", " ", text)
    text = re.sub(r"(?m)^#.*$|^\d\. |\d+ (minutes|seconds)", " ", text)
    text = re.sub(rf"(?i)\b({COUNTED}) \d[\d.]*(( to | and |, )\d\b)*", " ", text)
    found = set()
    for number, percent in re.findall(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(\s%)?", text):
        value = float(number.replace(",", ""))
        decimals = len(number.partition(".")[2])
        if decimals or percent or (value > 12 and not 1980 < value < 2030):
            found.add((value, decimals, bool(decimals or percent)))
    return found


def test_claims_are_read_from_a_text():
    """A measured number is one, a setting too; a chapter or a year is none."""
    text = "Chapter 5, in 2014: 36.3 % of 1,000, $x = 77$, `99`, six of 8, glimpse 20."
    assert claimed(text) == {(36.3, 1, True), (1000, 0, False)}


@pytest.mark.parametrize("name", SOURCES)
def test_numbers_of_the_text_stand_in_a_cell(name):
    """A measured one was printed above; a setting can stand in code, also just below.

    A number of the paper's tables stands in a paragraph that names the paper.
    """
    notebook = json.loads(SOURCES[name].with_suffix(".ipynb").read_text("utf-8"))
    cells = [(c["cell_type"], "".join(c["source"]), c) for c in notebook["cells"]]
    printed, settings, missing = set(), set(), []
    for i, (kind, source, cell) in enumerate(cells):
        if kind == "code":
            settings |= numbers(source)
            for output in cell["outputs"]:
                printed |= numbers("".join(output.get("text", "")))
            continue
        for _, code, _ in cells[i + 1 : i + 2]:
            settings |= numbers(code)
        for paragraph in source.split("\n\n"):
            given = GIVEN.get(name[:2], set()) | (
                PAPER if "paper" in paragraph else set()
            )
            missing += [
                value
                for value, decimals, measured in claimed(paragraph)
                if value not in given
                and not (value in settings and not measured)
                and not any(round(number, decimals) == value for number in printed)
            ]
    assert missing == []
