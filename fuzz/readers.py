"""Search for a file that breaks a reader, guided by coverage.

python fuzz/readers.py READER [options of libFuzzer]
"""

import gzip
import hashlib
import io
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["ramnp", "json", "zipfile", "gzip", "numpy"]):
    from ramnp.agent import model
    from ramnp.datasets import idx, own_data
    from ramnp.learning.config import Config
    from ramnp.learning.predictor import Agent
    from ramnp.learning.state import initial
    from ramnp.runs import agent_file, run_folder, saved_state
    from ramnp.support import checkpoint
    from ramnp.support.errors import UserError
    from tests.fuzzing import spoil

CONFIG = Config(h_size=4, g_size=4, hg_size=3, hl_size=3, patch_size=2)
FOLDER = Path(tempfile.mkdtemp())
ARRAYS = {"W": np.ones((2, 3), np.float32)}
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def sound_state():
    """Return the arrays and the meta of a run's first checkpoint."""
    path = FOLDER / "sound.npz"
    saved_state.save(path, initial(CONFIG, 9), CONFIG, "0")
    return checkpoint.load(path)


def sound_agent():
    """Return the arrays and the meta of an agent's file."""
    path = FOLDER / "sound.npz"
    params = model.init(np.random.default_rng(0), CONFIG)
    row = dict.fromkeys(agent_file.METRICS, 1.0)
    agent_file.save(path, Agent(params, CONFIG, 0.1), row)
    return checkpoint.load(path)


def sealed(content):
    """Write the correct SHA-256 at the end, which no fuzzer could guess."""
    content = content[:-71]
    return content + b"sha256:" + hashlib.sha256(content).hexdigest().encode()


def own_archive():
    """Return a user's own data."""
    file = io.BytesIO()
    np.savez(file, images=IMAGES, labels=np.arange(2))
    return file.getvalue()


STATE, AGENT = sound_state(), sound_agent()
# name: (file name, the file made of the fuzzer's bytes, its reader, a first input)
READERS = {
    "checkpoint": (
        "checkpoint.npz",
        sealed,
        checkpoint.load,
        checkpoint._encode(ARRAYS, {"x": [1, None]}),
    ),
    "state": (
        "checkpoint.npz",
        lambda script: checkpoint._encode(*spoil(script, *STATE)),
        lambda path: saved_state.load(path, CONFIG, 9, "0"),
        b"\0",
    ),
    "agent": (
        "best.npz",
        lambda script: checkpoint._encode(*spoil(script, *AGENT)),
        agent_file.load_with_training,
        b"\0",
    ),
    "config": (
        "config.json",
        bytes,
        lambda path: run_folder.read_config(path.parent, {"epochs": 1}),
        b'{"data": null, "epochs": 1}',
    ),
    "idx": ("idx", bytes, lambda path: idx.read_idx(path, 3), idx.idx_bytes(IMAGES)),
    "gzip": (
        "idx.gz",
        bytes,
        lambda path: idx.read_idx(path, 3),
        gzip.compress(idx.idx_bytes(IMAGES)),
    ),
    "own-data": ("own.npz", bytes, own_data.read, own_archive()),
}


def main():
    """Let libFuzzer call one reader until an input breaks it."""
    name, build, read, first = READERS[sys.argv.pop(1)]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    (corpus / "first").write_bytes(first)

    def one_input(data):
        (FOLDER / name).write_bytes(build(data))
        try:
            read(FOLDER / name)
        except (UserError, OSError) as error:
            assert isinstance(error, UserError) or name == "own.npz", error
            assert str(error).isprintable()

    atheris.Setup([*sys.argv, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
