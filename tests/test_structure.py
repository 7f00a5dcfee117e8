"""The plan of the house, read off the source files: who imports whom and what."""

import ast
import graphlib
import socket
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "ramnp").rglob("*.py"))
}
# From the ground up. What stands on none of these floors only must not close a circle.
FLOORS = (
    (
        "networks.layers",
        "networks.glimpse_sensor",
        "parameters",
        "datasets.mnist",
        "datasets.scenes",
    ),
    (
        "networks.glimpse_network",
        "networks.core_network",
        "networks.location_network",
        "networks.action_network",
        "networks.baseline_network",
        "networks.fully_connected_network",
        "networks.convolutional_network",
        "optimizers",
    ),
    ("model",),
    ("reinforce", "baselines"),
    ("models", "diagnostics"),
    ("evaluation", "shard"),
    ("workers",),
    ("training",),
    ("study",),
    ("results_table", "train", "evaluate"),
    ("jobs",),
    ("reproduce",),
)
NUMERICS = [
    name
    for name in SOURCES
    if name.startswith("ramnp.networks.")
    or name.removeprefix("ramnp.")
    in (
        "parameters",
        "model",
        "baselines",
        "models",
        "reinforce",
        "optimizers",
        "diagnostics",
        "datasets.scenes",
    )
]
COMMANDS = {
    f"ramnp.{name}"
    for name in ("train", "evaluate", "bench", "gradient_check", "reproduce", "jobs")
}
DISTRIBUTIONS = {"PIL": "pillow"}  # where the name of the import is another
EXTRAS = {"distributed": "study"}  # imports that only some users need


def imported_names(tree):
    """Yield all that a file imports, inside functions too, as absolute names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in SOURCES else node.module


IMPORTS = {
    name: set(imported_names(ast.parse(path.read_text("utf-8"))))
    for name, path in SOURCES.items()
}


def below(name):
    """Return all modules of ours that a module needs, those that they need included."""
    found, waiting = set(), [name]
    while waiting:
        for needed in IMPORTS[waiting.pop()] & SOURCES.keys() - found:
            found.add(needed)
            waiting.append(needed)
    return found


def foreign(name):
    """Return the top-level packages that a module imports from outside Python."""
    tops = {imported.partition(".")[0] for imported in IMPORTS[name]}
    return tops - sys.stdlib_module_names - {"ramnp"}


@pytest.mark.parametrize("height", range(len(FLOORS)))
def test_imports_point_down(height):
    """No module needs one on its own floor or above, however indirectly."""
    not_below = {f"ramnp.{name}" for floor in FLOORS[height:] for name in floor}
    for name in FLOORS[height]:
        assert not below(f"ramnp.{name}") & not_below, name


def test_imports_close_no_circle():
    """The modules can be put in an order in which each needs only earlier ones."""
    graph = {name: IMPORTS[name] & SOURCES.keys() for name in SOURCES}
    assert len([*graphlib.TopologicalSorter(graph).static_order()]) == len(SOURCES)


def test_nothing_imports_a_command_or_a_proof():
    """What is run with python -m is on top; the agent does not need its proofs."""
    for name in SOURCES:
        if name not in COMMANDS:
            assert not IMPORTS[name] & COMMANDS, name
        if name != "ramnp.gradient_check" and not name.startswith("ramnp.proofs."):
            assert not any(i.startswith("ramnp.proofs") for i in IMPORTS[name]), name


@pytest.mark.parametrize("name", NUMERICS)
def test_numerics_need_numpy_and_scipy_alone(name):
    """Nothing that computes imports another package, through other modules neither."""
    for module in {name} | below(name):
        assert foreign(module) <= {"numpy", "scipy"}, module


def test_only_figures_import_matplotlib():
    """Every picture is made in a file of that name."""
    for name in SOURCES:
        if "matplotlib" in foreign(name):
            assert name.rpartition(".")[2] == "figures", name


def test_nothing_runs_what_it_reads():
    """No pickle but in the one place that reads it restricted; no eval, no exec."""
    for name, path in SOURCES.items():
        if name != "ramnp.datasets.package":
            assert not IMPORTS[name] & {"pickle", "marshal", "shelve", "dill"}, name
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert getattr(called, "id", None) not in ("eval", "exec"), name


def project():
    """Return the table of that name in pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_every_import_is_declared():
    """All that is imported from outside Python is named in pyproject.toml, and used."""
    needed = {DISTRIBUTIONS.get(top, top) for name in SOURCES for top in foreign(name)}
    declared = {line.partition(">=")[0] for line in project()["dependencies"]}
    assert needed == declared | EXTRAS.keys()
    assert not declared & EXTRAS.keys()


@pytest.mark.parametrize("package", EXTRAS)
def test_what_only_some_need_is_imported_when_asked_for(package):
    """It is declared in its extra, with two bounds, and no file imports it at once."""
    (line,) = project()["optional-dependencies"][EXTRAS[package]]
    assert line.startswith(f"{package}>=") and ",<" in line
    for name, path in SOURCES.items():
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body = []
        tops = {imported.partition(".")[0] for imported in imported_names(tree)}
        assert package not in tops, name


def test_requirements_and_pyproject_agree():
    """One list of packages, for running and for testing, with the same two bounds."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    required = [line for line in lines if line and not line.startswith("#")]
    extras = project()["optional-dependencies"]
    assert required == project()["dependencies"] + extras["test"]
    assert all(">=" in line and ",<" in line for line in required)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_file_has_a_test_file_of_the_same_stem(name):
    """The tests are the same tree: ramnp/a/b.py is tested in tests/a/test_b.py."""
    path = SOURCES[name].relative_to(ROOT / "ramnp")
    if path.stem != "__init__":
        assert (ROOT / "tests" / path.parent / f"test_{path.name}").is_file()


def test_what_is_no_python_is_installed_too():
    """Files that the package reads from its own folders are declared as its data."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = pyproject["tool"]["setuptools"]["package-data"]["ramnp"]
    declared = {path for pattern in patterns for path in (ROOT / "ramnp").glob(pattern)}
    others = {
        path
        for path in (ROOT / "ramnp").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert declared == others


@pytest.mark.loopback
def test_tests_reach_nothing_beyond_this_machine():
    """Every way out fails a test in a manner that no code can take for bad luck."""
    with socket.socket() as out:
        out.settimeout(1)
        for connect in (out.connect, out.connect_ex):
            with pytest.raises(pytest.fail.Exception, match=r"203\.0\.113\.1"):
                connect(("203.0.113.1", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        socket.create_connection(("example.org", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        urllib.request.urlopen("http://example.org")
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1])).close()


def test_tests_use_no_network_unless_they_say_so():
    """Not even that of this machine: it takes the mark loopback."""
    with socket.socket() as either_way:
        for use in (either_way.bind, either_way.connect, either_way.connect_ex):
            with pytest.raises(pytest.fail.Exception, match="without the mark"):
                use(("127.0.0.1", 0))
