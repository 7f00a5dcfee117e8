"""Measure how fast each task trains and predicts: python -m ramnp.bench."""

import json
import statistics
import subprocess
import sys

from ramnp.datasets import mnist
from ramnp.learning.recipes import PAPER_ERRORS as TASKS
from ramnp.learning.recipes import fitted
from ramnp.study import speed
from ramnp.support import command_line, process

# Rollouts per image with the recipe paper, by key of the report.
PAPER = {"paper_images_per_second": 1, "paper_images_per_second_10_rollouts": 10}


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.bench",
        description="Measure the speed of training (new scenes, batch of the quick "
        "recipe, and the paper's of 20 images with one and ten rollouts each) and "
        "prediction (1,000 images, and one); medians over rounds. The sgemm share is "
        "the time of a step's matrix products alone, measured in turn with the step, "
        "divided by the time of the step; the square share is the same with as many "
        "multiplications in large square products, the most that the machine can do.",
    )
    parser.add_argument(
        "--task", choices=TASKS, help="measure one task (default: all of them)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_number("--rounds", "rounds of measurements (default: 15)", 1, default=15)
    command_line.add_data_and_threads(parser)
    return parser.parse_args(arguments)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    if options.task:
        report = measure(options)
    else:
        reports = []
        for task in TASKS:
            # One process per task: peak memory is measured per process.
            command = [sys.executable, "-m", "ramnp.bench", *arguments]
            command += ["--task", task, "--json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            if done.returncode:
                return done.returncode
            reports.append(json.loads(done.stdout))
        report = merged(reports)
    print(json.dumps(report) if options.json else table(report))
    return 0


def measure(options):
    """Return the report on one task."""
    digits = mnist.load(options.data)
    config = fitted(digits, options.task)
    threads = options.threads or process.num_cores()
    paper = {
        key: fitted(digits, options.task, "paper", num_rollouts=num_rollouts)
        for key, num_rollouts in PAPER.items()
    }
    row, gflops = speed.measure(config, digits, threads, options.rounds, paper)
    return {"tasks": {options.task: row}, "sgemm_gflops": gflops, "threads": threads}


def merged(reports):
    """Return one report on all tasks."""
    tasks = {task: row for report in reports for task, row in report["tasks"].items()}
    gflops = statistics.median(report["sgemm_gflops"] for report in reports)
    return {"tasks": tasks, "sgemm_gflops": gflops, "threads": reports[0]["threads"]}


COLUMNS = {
    "training, images/s": ("train_images_per_second", "{:,.0f}"),
    "  with one thread": ("train_images_per_second_one_thread", "{:,.0f}"),
    "  gain by threads": ("thread_speedup", "{:.2f} x"),
    "  recipe paper": ("paper_images_per_second", "{:,.0f}"),
    "  paper, 10 rollouts": ("paper_images_per_second_10_rollouts", "{:,.0f}"),
    "prediction, images/s": ("predict_images_per_second", "{:,.0f}"),
    "one image, ms": ("latency_ms", "{:.2f}"),
    "share of sgemm": ("sgemm_share", "{:.0%}"),
    "share of square sgemm": ("square_share", "{:.0%}"),
    "sgemm, GFLOP/s": ("sgemm_gflops", "{:.0f}"),
    "multiply-adds per image": ("multiply_adds_per_image", "{:,.0f}"),
    "peak memory, MiB": ("peak_mib", "{:.0f}"),
}


def table(report):
    """Return the report as a readable table with a column for each task."""
    tasks, gflops = report["tasks"], report["sgemm_gflops"]
    machine = f"{report['threads']} threads; square products at {gflops:.0f} GFLOP/s"
    lines = [machine, "", _line("", tasks)]
    for name, (key, form) in COLUMNS.items():
        lines.append(_line(name, [form.format(row[key]) for row in tasks.values()]))
    lines += ["", "training time of one thread"]
    for stage in next(iter(tasks.values()))["time"]:
        shares = [f"{row['time'][stage]:.1%}" for row in tasks.values()]
        lines.append(_line(f"  {stage}", shares))
    return "\n".join(lines)


def _line(name, values):
    return f"{name:<24}" + "".join(f"{value:>15}" for value in values)


if __name__ == "__main__":
    command_line.run(main)
