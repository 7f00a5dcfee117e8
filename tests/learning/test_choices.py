"""A configuration names its model, and all models can be called alike."""

import dataclasses
import inspect

import pytest

from ramnp.agent import model
from ramnp.comparison import whole_image
from ramnp.learning.choices import model_of
from ramnp.learning.config import Config

(NAMES,) = (
    field.metadata["choices"]
    for field in dataclasses.fields(Config)
    if field.name == "model"
)


def test_each_name_means_its_module():
    """ram is the agent, everything else a baseline."""
    modules = {name: model_of(Config(model=name)) for name in NAMES}
    assert modules == {"ram": model, "fc": whole_image, "conv": whole_image}


@pytest.mark.parametrize("name", ["init", "num_parameters", "rollout", "backward"])
def test_all_models_take_the_same_arguments(name):
    """The same names, in the same order, with the same defaults."""
    assert inspect.signature(getattr(model, name)) == inspect.signature(
        getattr(whole_image, name)
    )
