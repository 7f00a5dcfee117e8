"""Test a trained agent: python -m ramnp.evaluate RUN."""

import json
from concurrent.futures import ThreadPoolExecutor

from ramnp.datasets import mnist, scenes
from ramnp.learning import evaluation
from ramnp.runs import agent_file, run_data
from ramnp.support import command_line, process


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.evaluate",
        description="Print the test error of a trained agent.",
    )
    command_line.add_run(parser)
    parser.add_number(
        "--rollouts",
        "rollouts averaged in the second error (default: as in training)",
        1,
        1000,
        metavar="M",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, as in result.json"
    )
    command_line.add_data_and_threads(parser)
    return parser.parse_args(arguments)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    threads = options.threads or process.num_cores()
    agent, training = agent_file.load_with_training(options.run)
    config = agent.config
    digits = run_data.load_again(options.run, agent, options.data)
    scenes.check_sizes(digits.test, config)
    rollouts = options.rollouts or config.rollouts
    with ThreadPoolExecutor(threads) as pool:
        result, _ = evaluation.test(agent, training, digits, pool, rollouts)
    if options.json:
        print(json.dumps(result))
    else:
        name = "MNIST" if mnist.is_mnist(digits.sha256) else digits.path
        print(f"{evaluation.summary(result)}\n  data: {name}")
    return 0


if __name__ == "__main__":
    command_line.run(main)
