"""A configuration names its model, and all models can be called alike."""

import dataclasses
import inspect

import numpy as np
import pytest

from ramnp.agent import model, parameters
from ramnp.comparison import whole_image
from ramnp.learning import choices
from ramnp.learning.choices import model_of
from ramnp.learning.config import Config
from ramnp.support.errors import UserError
from tests.helpers import small_config

(NAMES,) = (
    field.metadata["choices"]
    for field in dataclasses.fields(Config)
    if field.name == "model"
)


def test_each_name_means_its_module():
    """ram is the agent, the others see the whole image."""
    modules = {name: model_of(Config(model=name)) for name in NAMES}
    assert modules == {"ram": model, "fc": whole_image, "conv": whole_image}


@pytest.mark.parametrize("name", ["shapes", "init", "rollout", "backward"])
def test_all_models_take_the_same_arguments(name):
    """The same names, in the same order, with the same defaults."""
    assert inspect.signature(getattr(model, name)) == inspect.signature(
        getattr(whole_image, name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_those_of_the_initial_parameters(name, rng):
    """In the same order, so that a flat vector means the same parameters."""
    config = Config(model=name, locator_hidden_size=3)
    module = model_of(config)
    params, shapes = module.init(rng, config), module.shapes(config)
    assert parameters.shapes(params) == shapes
    for network, arrays in params.items():
        assert [*arrays] == [*shapes[network]]
    assert [*params] == [*shapes]


def test_the_origin_of_a_choice_is_the_place_of_its_definition(monkeypatch):
    """Its module and name: those of an optimiser's step; a module has no other name."""
    monkeypatch.setitem(choices.CHOICES["reward"], "mine", 3)  # has neither
    assert choices.origins(Config(optimizer="muon", reward="mine")) == {
        "model": ("ramnp.agent.model", ""),
        "core": ("ramnp.agent.core_network", ""),
        "sensor": ("ramnp.agent.glimpse_sensor", ""),
        "reward": ("", ""),
        "optimizer": ("ramnp.learning.optimizers", "muon_step"),
    }
    reward = choices.origins(Config(reward="final"))["reward"]
    assert reward == ("ramnp.learning.reinforce", "final_reward")


@pytest.mark.parametrize("setting", choices.CHOICES)
def test_a_registered_choice_is_a_value_of_its_setting(setting, monkeypatch):
    """The configuration, and with it the command line, takes the new name at once."""
    known = choices.CHOICES[setting]
    some = next(iter(known.values()))
    with pytest.raises(UserError, match="choose one of"):
        Config(**{setting: "mine"})
    monkeypatch.setitem(known, "mine", None)
    del known["mine"]  # at the end of the test, monkeypatch does so again
    for _ in range(2):  # the same once more is no conflict
        choices.register(setting, "mine", some)
    assert known["mine"] is some
    assert getattr(Config(**{setting: "mine"}), setting) == "mine"
    with pytest.raises(ValueError, match=f"{setting} mine is already"):
        choices.register(setting, "mine", object())


def test_what_an_agent_chooses_is_what_it_computes_with(rng, monkeypatch):
    """A core and a sensor registered under a name are the ones that are called."""
    calls = []

    def watched(module):
        def call(name):
            calls.append(name)
            return getattr(module, name)

        return type("Watched", (), {"__getattr__": lambda self, name: call(name)})()

    monkeypatch.setitem(model.CORES, "mine", watched(model.CORES["rectified"]))
    monkeypatch.setitem(model.SENSORS, "mine", watched(model.SENSORS["pyramid"]))
    config = small_config(core="mine", sensor="mine")
    params = model.init(rng, config)
    images = rng.random((2, 9, 9), np.float32)
    trajectory = model.rollout(params, images, rng, config)
    model.backward(*trajectory[1:4], trajectory, config)
    assert {"prepare", "rho_size", "init", "initial_state"} < {*calls}
    assert "backward_through_time" in calls and calls.count("forward") == 2 * 4
