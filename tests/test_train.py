"""python -m ramnp.train: options, folders, exit codes."""

import dataclasses
import gzip
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ramnp
from ramnp import evaluate, train
from ramnp.datasets.idx import idx_bytes
from ramnp.figures import confusion, curves
from ramnp.learning.config import Config, option_name
from ramnp.runs import run_folder
from ramnp.support.errors import UserError
from tests.helpers import HUES, TINY_RUN, colour_split, small_split, write_digits
from tests.processes import copy_run, metrics, outcome, saved


def call(*arguments):
    command = [sys.executable, "-m", "ramnp.train", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_run_folder_holds_everything(finished_run):
    """Configuration, metrics, agents, result, pictures, confusions."""
    names = {path.name for path in finished_run.iterdir()}
    assert names == {
        ".lock",
        "config.json",
        "metrics.jsonl",
        "checkpoint.npz",
        "best.npz",
        "result.json",
        "curves.png",
        "confusion.csv",
        "confusion.png",
        "glimpses.png",
        "glimpses.gif",
        "mistakes.png",
    }
    config = json.loads((finished_run / "config.json").read_text())
    assert config["epochs"] == 3 and config["task"] == "centered"
    result = json.loads((finished_run / "result.json").read_text())
    assert result["num_test"] == 18 and result["rollouts"] == 2


def test_the_same_command_gives_the_same_bits_in_a_fresh_process(
    finished_run, digits_file, tmp_path
):
    """Weights, metrics and result are bit-identical, with any number of threads."""
    folder = tmp_path / "run"
    given = ["--data", digits_file, "--run", str(folder), "--threads=1"]
    done = call(*TINY_RUN, *given)
    assert done.returncode == 0
    assert outcome(folder) == outcome(finished_run)
    # Without a terminal, progress is a plain line per epoch.
    epochs = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in epochs] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert all("valid" in line and " left" in line for line in epochs)
    for line in ("one rollout per image", "2 rollouts averaged", "glimpses.gif"):
        assert line in done.stdout


def test_every_field_of_the_configuration_is_an_option_with_its_default(capsys):
    """--help explains each option and shows the default of the task and recipe.

    A setting with a single choice waits for another to be registered.
    """
    with pytest.raises(SystemExit) as stop:
        train.main(["--task", "cluttered", "--recipe", "paper", "--help-all"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for spec in dataclasses.fields(Config):
        single = spec.metadata["choices"] and len(spec.metadata["choices"]) == 1
        assert (option_name(spec.name) in text) != bool(single)
    assert "side of a patch in cells, g_w (default: 12)" in text
    assert "passes over the training digits (default: 250)" in text
    for option in ("--resume", "--threads", "--data", "--run", "--strict"):
        assert option in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--task", "centred"],
        ["--recipe", "fast"],
        ["--epochs", "-1"],
        ["--epochs", "many"],
        ["--location-std", "0"],
        ["--location-std", "nan"],
        ["--patch-size", "0"],
        ["--num-shards", "21", "--batch-size", "20"],
        ["--baseline", "leave-one-out"],
        ["--threads", "0"],
        ["--save-every", "-2"],
        ["--colour", "red"],
        ["--data", "{tmp}/nowhere.npz"],
        ["--run", "{file}/run"],
        ["--run", "{file}"],
        ["--run", "/proc/ramnp/run"],  # where not even root may write
        ["--data", ""],
        ["--init-from", ""],
        ["--save-config", ""],
        ["--run", "{tmp}", "--resume"],
        ["--canvas-size", "5"],
        ["--num-classes", "4"],
        ["--image-width", "13", "--model", "fc"],
        ["--filter-size", "29", "--model", "conv"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, digits_file, tmp_path):
    """It names the option or path, and no folder is created."""
    (tmp_path / "a-file").write_text("")
    folder = tmp_path / "run"
    filled = [
        a.format(tmp=tmp_path / "empty", file=tmp_path / "a-file") for a in arguments
    ]
    given = ["--run", str(folder), "--data", digits_file, *TINY_RUN, *filled]
    with pytest.raises(UserError) as error:
        train.main(given)
    assert error.value.exit_code == 2
    message = str(error.value)
    assert "\n" not in message
    assert filled[0] in message or filled[-1] in message or str(tmp_path) in message
    assert not folder.exists()


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_a_comparison_network_is_trained_and_tested_like_the_agent(
    model, digits_file, tmp_path, capsys
):
    """The same files except the pictures of glimpses; and it learns."""
    folder = tmp_path / model
    size = ["--image-height=12", "--image-width=12", "--fc-size=16"]
    arguments = [*TINY_RUN, f"--model={model}", *size, "--data", digits_file]
    assert train.main([*arguments, "--run", str(folder)]) == 0
    names = {path.name for path in folder.iterdir()}
    assert {"best.npz", "result.json", "curves.png"} < names
    assert not {"glimpses.png", "glimpses.gif"} & names
    assert "glimpses" not in capsys.readouterr().out
    losses = [row["cross_entropy"] for row in metrics(folder)]
    assert losses[0] > losses[1] > losses[2]
    result = json.loads((folder / "result.json").read_text())
    errors = {result[key] for key in result if key.startswith("test_error")}
    assert len(errors) == 1  # it is deterministic
    assert train.main(["--run", str(folder), "--resume"]) == 0


@pytest.mark.usefixtures("no_pictures")
def test_the_random_policy_never_trains_the_location_network(digits_file, tmp_path):
    """The other networks learn."""
    arguments = [*TINY_RUN, "--policy=random", "--data", digits_file]
    assert train.main([*arguments, "--run", str(tmp_path / "random")]) == 0
    trained = ramnp.load(tmp_path / "random")
    assert not trained.params["location"]["b_mu"].any()
    assert trained.params["action"]["b_a"].any()
    assert trained.params["baseline"]["b_b"].any()


def test_a_folder_that_exists_is_left_alone(finished_run, digits_file):
    """Without --resume, a run never writes into the folder of another."""
    before = saved(finished_run)
    arguments = [*TINY_RUN, "--data", digits_file, "--run", str(finished_run)]
    with pytest.raises(UserError, match="exists: resume its run with --resume"):
        train.main(arguments)
    assert saved(finished_run) == before


def test_resuming_with_another_setting_names_it(finished_run, digits_file):
    """It names the option and both values, and changes nothing."""
    before = saved(finished_run)
    for option, words in (
        ("--learning-rate=0.5", "--learning-rate 0.002, not 0.5"),
        ("--task=cluttered", "--task centered, not cluttered"),
    ):
        with pytest.raises(UserError, match=words):
            train.main(["--run", str(finished_run), "--resume", option])
    assert saved(finished_run) == before


def test_a_damaged_checkpoint_is_one_line_on_resume(finished_run, tmp_path):
    """It names the file, which is left alone."""
    copy_run(finished_run, tmp_path)
    damaged = bytearray((tmp_path / "checkpoint.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "checkpoint.npz").write_bytes(damaged)
    with pytest.raises(UserError, match=r"checkpoint\.npz") as error:
        train.main(["--run", str(tmp_path), "--resume"])
    assert "\n" not in str(error.value)
    assert (tmp_path / "checkpoint.npz").read_bytes() == damaged


def test_a_finished_run_repeats_its_test_and_pictures_on_resume(
    finished_run, tmp_path, monkeypatch
):
    """A run killed while testing or drawing does so again."""
    copy_run(finished_run, tmp_path, leave_out=("result.json", "glimpses.png"))
    drawn = []
    monkeypatch.setattr(run_folder, "draw", lambda *given: drawn.append(given) or [])
    assert train.main(["--run", str(tmp_path), "--resume"]) == 0
    assert len(drawn) == 1
    for name in ("result.json", "best.npz"):
        assert (tmp_path / name).read_bytes() == (finished_run / name).read_bytes()


def test_divergence_is_exit_code_3(digits_file, tmp_path):
    """One line names the step and the tensor."""
    given = ["--data", digits_file, "--run", str(tmp_path / "run"), "--threads=1"]
    done = call(*TINY_RUN, "--learning-rate=1e6", "--weight-decay=0", *given)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and "error: step " in done.stderr


def test_help_does_not_load_matplotlib():
    """It waits until a picture is drawn."""
    program = (
        "import sys, runpy\n"
        "sys.argv = ['train', '--help']\n"
        "try:\n"
        "    runpy.run_module('ramnp.train', run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('matplotlib' in sys.modules)"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.splitlines()[-1] == "False"


def test_an_agent_learns_to_tell_bars_apart(tmp_path, no_pictures):
    """From chance (90 % error) to less than 20 %, in a second or two."""
    data = write_digits(tmp_path / "bars.npz", count=700)
    arguments = ["--epochs=12", "--batch-size=25", "--rollouts=2", "--num-glimpses=4"]
    arguments += ["--h-size=64", "--g-size=64", "--hg-size=32", "--hl-size=32"]
    folder = tmp_path / "run"
    assert train.main([*arguments, "--data", data, "--run", str(folder)]) == 0
    assert json.loads((folder / "result.json").read_text())["test_error"] < 20


@pytest.fixture(scope="module")
def hues(tmp_path_factory):
    """The path of images in colour, and the folder of a run that learned them."""
    home = tmp_path_factory.mktemp("hues")
    images, labels = colour_split(0, 420)
    names = [*HUES]
    np.savez(home / "hues.npz", images=images, labels=labels, class_names=names)
    data = ["--data", str(home / "hues.npz"), "--task=own", "--channels=3"]
    settings = [*TINY_RUN, "--background=1", "--epochs=12", "--learning-rate=0.01"]
    with pytest.MonkeyPatch.context() as patch:  # these two show no images
        patch.setattr(curves, "draw_curves", lambda *given: None)
        patch.setattr(confusion, "draw_confusion", lambda *given: None)
        assert train.main([*settings, *data, "--run", str(home / "run")]) == 0
    return home / "hues.npz", home / "run"


def test_colour_is_learned(hues, capsys, monkeypatch):
    """Hues of the same brightness are told apart; so says evaluate, on the run's data."""
    _, run = hues
    result = json.loads((run / "result.json").read_text())
    assert result["test_error"] < 5
    assert json.loads((run / "config.json").read_text())["channels"] == 3
    assert evaluate.main([str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result
    images, labels = colour_split(9, 30)
    names = ramnp.load(run).predict(images).names
    assert (names == np.array([*HUES])[labels]).mean() > 0.9
    for name in ("glimpses.png", "glimpses.gif"):
        with Image.open(run / name) as picture:
            pixels = np.asarray(picture.convert("RGB"), int)
        for hue in HUES.values():
            assert (np.abs(pixels - hue).max(axis=2) < 12).any()
    monkeypatch.setattr(run_folder, "draw", lambda *given: [])
    assert train.main(["--run", str(run), "--resume"]) == 0


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_a_comparison_network_learns_colour(model, hues, tmp_path, no_pictures):
    """It sees all channels of the whole image."""
    settings = [f"--model={model}", "--channels=3", "--epochs=8", "--fc-size=16"]
    settings += ["--filter-size=4", "--optimizer=adam", "--batch-size=24"]
    data = ["--data", str(hues[0]), "--run", str(tmp_path / "run")]
    assert train.main([*settings, *data]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test_error"] < 30  # chance is 67


def test_a_run_in_colour_starts_from_one_in_grey(hues, tmp_path, capsys, no_pictures):
    """The images are read anew, and the glimpse network is initialised anew."""
    data, run = hues
    grey = str(tmp_path / "grey")
    assert train.main([*TINY_RUN, "--data", str(data), "--run", grey]) == 0
    printed = capsys.readouterr().out
    assert printed.count("images in colour are turned grey") == 1
    assert "\n3 classes: red, green, purple\n" in printed
    for start, options, words in (
        (grey, ["--channels=3"], "anew, because no weights fit: glimpse\n"),
        (str(run), ["--channels=1", "--invert"], "turned grey"),
    ):
        folder = str(tmp_path / options[0])
        given = ["--init-from", start, *options, "--epochs=1", "--run", folder]
        assert train.main(given) == 0
        assert words in capsys.readouterr().out
        agent = ramnp.load(folder)
        assert f"--channels={agent.config.channels}" == options[0]
        # What --invert did to the training images shows in their mean.
        expected = 1 - 0.83 if agent.config.invert else 0.83
        assert agent.data["brightness"] == pytest.approx(expected, abs=0.06)


def test_help_is_short_and_grouped(capsys):
    """--help explains what people change first, in the sections of the settings."""
    with pytest.raises(SystemExit):
        train.main(["--help"])
    short = capsys.readouterr().out
    with pytest.raises(SystemExit):
        train.main(["--help-all"])
    whole = capsys.readouterr().out
    assert "--learning-rate" in short and "--clip-norm" not in short
    assert "--clip-norm" in whole and "REINFORCE:" in whole
    assert short.count("\n") < 100


def test_two_kinds_of_rollouts_have_names_of_their_own():
    """The names of the fields are taken, too, as before."""
    for given in (
        ["--training-rollouts=3", "--test-rollouts=4"],
        ["--num-rollouts=3", "--rollouts=4"],
    ):
        options = train.parse(given)
        assert (options.num_rollouts, options.rollouts) == (3, 4)


@pytest.mark.usefixtures("no_pictures")
def test_settings_go_into_a_file_and_come_back(digits_file, tmp_path, capsys):
    """What --save-config writes is what --config reads; the command line wins."""
    path = tmp_path / "settings.toml"
    asked = [*TINY_RUN, "--policy-into-core", "--optimizer=sgd"]
    assert train.main([*asked, "--save-config", str(path)]) == 0
    data = ["--data", digits_file, "--run", str(tmp_path / "run")]
    train.main(["--config", str(path), "--epochs=1", *data])
    fields = json.loads((tmp_path / "run" / "config.json").read_text())
    assert fields["policy_into_core"] is True and fields["optimizer"] == "sgd"
    assert fields["learning_rate"] == 0.002 and fields["epochs"] == 1


def test_settings_in_a_file_have_the_names_of_fields_or_options(tmp_path):
    """The two kinds of rollouts, too."""
    path, copy = tmp_path / "settings.toml", tmp_path / "copy.toml"
    path.write_text("training-rollouts = 3\ntest_rollouts = 4\nmax-shift = 1\n")
    train.main(["--config", str(path), "--save-config", str(copy)])
    lines = copy.read_text().splitlines()
    assert {"num_rollouts = 3", "rollouts = 4", "max_shift = 1"} <= {*lines}


def test_the_bound_of_the_mean_has_a_former_name(tmp_path, capsys):
    """--locator-tanh and --no-locator-tanh, and locator_tanh in a file."""
    path = tmp_path / "settings.toml"

    def chosen(*arguments):
        path.write_text("locator_tanh = true\nlocation_std = 0.1\n")
        kept = tmp_path / "kept.toml"
        assert train.main([*arguments, "--save-config", str(kept)]) == 0
        return tomllib.loads(kept.read_text())["locator_bound"]

    assert chosen("--recipe=paper", "--locator-tanh") == "tanh"
    assert chosen("--recipe=best", "--no-locator-tanh") == "none"
    assert chosen("--recipe=paper", "--config", str(path)) == "tanh"
    new = "--locator-bound=hard-tanh"
    assert chosen("--config", str(path), new) == chosen(new) == "hard-tanh"


def test_settings_that_the_data_decides_are_saved_as_decided(
    hues, tmp_path, no_pictures
):
    """--config repeats the run, of the task own, from an agent, in another size."""
    data, run = hues
    path = str(tmp_path / "settings.toml")
    for i, (source, options) in enumerate(
        (
            (
                ["--data", str(data)],
                ["--task=own", "--size", "10", "9", "--channels=3", *TINY_RUN],
            ),
            (["--init-from", str(run)], ["--invert", "--learning-rate=0.001"]),
        )
    ):
        asked = [*source, *options, "--epochs=1"]
        assert train.main([*asked, "--save-config", path]) == 0
        runs = [tmp_path / f"{name}{i}" for name in ("one", "other")]
        train.main([*asked, "--run", str(runs[0])])
        train.main([*source, "--config", path, "--run", str(runs[1])])
        assert outcome(runs[0]) == outcome(runs[1])
        fields = json.loads((runs[1] / "config.json").read_text())
        assert fields["background"] == 1 and fields["task"] == "own"
    with pytest.raises(UserError, match="leave out --resume"):
        train.main(["--run", str(runs[0]), "--resume", "--save-config", path])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("momentun = 0.5", "there is no setting momentun; did you mean momentum?"),
        ("epochs = 1.5", "--epochs must be of type int"),
        ("epochs = ", "give a TOML file"),
        (None, "give a TOML file"),
    ],
)
def test_a_file_of_settings_that_cannot_be_used_is_one_line(text, words, tmp_path):
    """A misspelt name is told with the one that was meant."""
    path = tmp_path / "settings.toml"
    if text:
        path.write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        train.main(["--config", str(path), "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def blocks_of_own_data():
    """Return {heading: code blocks} of docs/OWN_DATA.md."""
    text = (Path(__file__).parents[1] / "docs" / "OWN_DATA.md").read_text()
    sections = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"^```(\w*)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        for heading, body in zip(sections[::2], sections[1::2])
    }


def make_photos():
    """Two classes of pictures of several sizes and modes, bright shapes on dark."""
    for i in range(24):
        cls, side = ("cat", "dog")[i % 2], 40 + i
        image = Image.new("RGB" if i % 3 else "L", (side, 50))
        image.paste("white", (5, 5, 15, 45) if i % 2 else (5, 5, 35, 15))
        Path("photos", cls).mkdir(parents=True, exist_ok=True)
        image.save(f"photos/{cls}/IMG_{i:04}.{'jpg' if i % 2 else 'png'}")
    image.save("new.jpg")


def make_table():
    """28 x 28 pixels and a class in each row."""
    split = small_split(0, 60)
    rows = np.column_stack([split.images.reshape(60, -1), split.labels % 3])
    np.savetxt("table.csv", rows, "%d", delimiter=",")


def make_fashion():
    """Four IDX files as published, and the names of three classes."""
    Path("fashion").mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        images, labels = small_split(count, count)
        for name, array in (("images-idx3", images), ("labels-idx1", labels % 3)):
            content = gzip.compress(idx_bytes(array))
            Path(f"fashion/{part}-{name}-ubyte.gz").write_bytes(content)
    Path("fashion/classes.txt").write_text("T-shirt\nTrouser\nPullover\n")


@pytest.mark.parametrize(
    ("heading", "make", "epochs", "answers"),
    [
        ("Photos in folders", make_photos, 8, {"cat", "dog"}),
        ("A table", make_table, 2, {"0", "1", "2"}),
        ("Fashion-MNIST", make_fashion, 2, {"T-shirt", "Trouser", "Pullover"}),
    ],
)
def test_the_examples_of_own_data_run(
    heading, make, epochs, answers, tmp_path, monkeypatch, capsys, no_pictures
):
    """As they stand in docs/OWN_DATA.md, on small data and with fewer epochs."""
    monkeypatch.chdir(tmp_path)
    make()
    commands = []
    for language, code in blocks_of_own_data()[heading]:
        if language == "python":
            capsys.readouterr()
            exec(code, {})  # noqa: S102 - our own document
            assert capsys.readouterr().out.strip() in answers
            continue
        for line in code.splitlines():
            if line.startswith("python -m ramnp."):
                _, _, command, *arguments = shlex.split(line)
                if "--task" in arguments:
                    arguments += [f"--epochs={epochs}", "--h-size=32", "--g-size=32"]
                arguments = [{"60": "4"}.get(word, word) for word in arguments]
                module = importlib.import_module(command)
                assert module.main(arguments) == 0
                commands.append(command)
    assert len(commands) == 2
    folder = next(Path("runs").iterdir())
    result = json.loads((folder / "result.json").read_text())
    assert {*result["class_errors"]} == answers
    assert {*ramnp.load(folder).class_names} == answers
