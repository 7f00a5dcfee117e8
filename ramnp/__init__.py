"""The Recurrent Attention Model (Mnih et al., NIPS 2014) in pure NumPy."""

from os import PathLike
from typing import Any

from ramnp.learning.config import Config
from ramnp.learning.predictor import Agent
from ramnp.learning.recipes import make_config
from ramnp.runs.agent_file import load

__all__ = ["Config", "__version__", "fit", "load", "make_config"]
__version__ = "0.1.0"


def fit(folder: str | PathLike, **options: Any) -> tuple[Agent, list[dict]]:
    """Train in a run folder; return the agent and its history: see run_folder.fit."""
    # A worker runs runs/workers.py as __main__, which must not be imported before.
    from ramnp.runs import run_folder

    return run_folder.fit(folder, **options)
