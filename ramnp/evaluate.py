"""Test a trained agent: python -m ramnp.evaluate RUN."""

import json

from ramnp.support import command_line
from ramnp.support.errors import UserError


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.evaluate",
        description="Print the test error of a trained agent.",
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        help="run folder, an agent's file, or a task, whose agent comes with the project",
    )
    parser.add_argument(
        "--rollouts",
        type=int,
        metavar="M",
        help="rollouts averaged in the second figure (default: as in training)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, as result.json"
    )
    command_line.add_data_and_threads(parser)
    options = parser.parse_args(arguments)
    if options.rollouts is not None and not 1 <= options.rollouts <= 1000:
        raise UserError(f"--rollouts {options.rollouts}: must be between 1 and 1000")
    return options


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    from concurrent.futures import ThreadPoolExecutor

    from ramnp.datasets import mnist, scenes
    from ramnp.learning import evaluation
    from ramnp.runs import agent_file

    threads = command_line.num_threads(options.threads)
    trained, training = agent_file.load_with_training(options.run)
    digits = mnist.load(options.data, num_classes=trained.config.num_classes)
    scenes.check_sizes(digits.test, trained.config)
    with ThreadPoolExecutor(threads) as pool:
        result = evaluation.test_result(
            trained,
            training,
            digits,
            pool,
            options.rollouts or trained.config.rollouts,
        )
    print(json.dumps(result) if options.json else evaluation.summary(result))
    return 0


if __name__ == "__main__":
    command_line.run(main)
