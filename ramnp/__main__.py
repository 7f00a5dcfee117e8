"""List the commands: python -m ramnp."""

import ast
from pathlib import Path

import ramnp
from ramnp.support import command_line
from ramnp.support.errors import UserError


def commands():
    """Return {name: what it does} of every command, from the files beside this one."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        words = ast.get_docstring(ast.parse(path.read_text("utf-8"))).splitlines()[0]
        what, _, call = words.partition(": python -m ramnp.")
        if call:
            found[path.stem] = what
    return found


def main(arguments):
    """Run the command; return its exit code."""
    if arguments == ["--version"]:
        print("ramnp", ramnp.__version__)
        return 0
    if arguments and arguments not in (["-h"], ["--help"]):
        raise UserError(
            f"{arguments[0]}: no such option; a command is called as "
            "python -m ramnp.train (python -m ramnp lists them)"
        )
    print(f"ramnp {ramnp.__version__}. Commands, each with --help:\n")
    for name, what in commands().items():
        print(f"  python -m ramnp.{name:<15} {what}")
    return 0


if __name__ == "__main__":
    command_line.run(main)
