"""The package's structure, checked against the source files.

The floors themselves are import-linter's contracts in pyproject.toml.
"""

import ast
import socket
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "ramnp").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
IMPORTS = grimp.build_graph("ramnp", include_external_packages=True, cache_dir=None)
FOREIGN = {
    module for module in IMPORTS.modules if module.partition(".")[0] != "ramnp"
} - sys.stdlib_module_names
# What computes, and the packages that it may need, however indirectly.
NUMERICS = {
    "agent": {"numpy"},
    "comparison": {"numpy"},
    "proofs": {"numpy"},
    "learning.reinforce": {"numpy"},
    "learning.optimizers": {"numpy"},
    "learning.diagnostics": {"numpy"},
    "datasets.scenes": {"numpy", "scipy"},
}
DISTRIBUTIONS = {"PIL": "pillow"}  # packages that are imported by another name
EXTRAS = {
    "distributed": "study",
    "tensorboard": "tensorboard",
}  # packages that only some users need


def test_imports_point_down():
    """The contracts of pyproject.toml hold: the floors, no circle, one artist."""
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("name", NUMERICS)
def test_numerics_need_numpy_and_scipy_alone(name):
    """Nothing that computes needs another package, not even through other modules."""
    needed = IMPORTS.find_upstream_modules(f"ramnp.{name}", as_package=True)
    assert needed & FOREIGN <= NUMERICS[name]


def test_nothing_runs_what_it_reads():
    """Only datasets/package.py unpickles, with restrictions; no eval, no exec."""
    for module in ("pickle", "marshal", "shelve", "dill"):
        importers = set()
        if module in IMPORTS.modules:
            importers = IMPORTS.find_modules_that_directly_import(module)
        assert importers <= {"ramnp.datasets.package"}, module
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert getattr(called, "id", None) not in ("eval", "exec"), path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert node.value.value is False, path


def test_every_import_is_declared():
    """All imported packages are named in pyproject.toml, and all named are used."""
    needed = {DISTRIBUTIONS.get(package, package) for package in FOREIGN}
    dependencies = PROJECT["project"]["dependencies"]
    declared = {line.partition(">=")[0] for line in dependencies}
    assert needed == declared | EXTRAS.keys()
    assert not declared & EXTRAS.keys()


def test_extras_are_imported_only_on_use():
    """Importing every module loads no package that only some users need."""
    modules = sorted(name for name in IMPORTS.modules if name.startswith("ramnp"))
    modules = [name for name in modules if name != "ramnp.__main__"]
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT)
    assert not EXTRAS.keys() & set(loaded.decode().split())


def test_requirements_and_pyproject_agree():
    """Both list the same packages for running and testing, with the same bounds."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    required = [line for line in lines if line and not line.startswith("#")]
    extras = PROJECT["project"]["optional-dependencies"]
    assert required == PROJECT["project"]["dependencies"] + extras["test"]
    for line in required + [line for extra in extras.values() for line in extra]:
        assert ">=" in line and ",<" in line


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_source_file_has_a_test_file_of_the_same_stem(source):
    """The tests are the same tree: ramnp/a/b.py is tested in tests/a/test_b.py."""
    path = source.relative_to(ROOT / "ramnp")
    if path.stem not in ("__init__", "__main__"):
        assert (ROOT / "tests" / path.parent / f"test_{path.name}").is_file()


@pytest.mark.loopback
def test_tests_reach_nothing_beyond_this_machine():
    """Every way out fails a test, by an exception that no code takes for bad luck."""
    with socket.socket() as out:
        out.settimeout(1)
        for connect in (out.connect, out.connect_ex):
            with pytest.raises(pytest.fail.Exception, match=r"203\.0\.113\.1"):
                connect(("203.0.113.1", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        socket.create_connection(("example.org", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        socket.gethostbyname("example.org")
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        urllib.request.urlopen("http://example.org")
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1])).close()


def test_tests_use_no_network_unless_they_say_so():
    """Even the network of this machine takes the mark loopback."""
    with socket.socket() as either_way:
        for use in (either_way.bind, either_way.connect, either_way.connect_ex):
            with pytest.raises(pytest.fail.Exception, match=r"127\.0\.0\.1"):
                use(("127.0.0.1", 0))
