"""PyTorch's numbers are complete, cover every option, and agree with ours."""

import numpy as np
import pytest

from ramnp.agent import location_network, model, parameters
from ramnp.proofs import oracles, stored_oracle
from ramnp.proofs.complex_step import flat

STORED = stored_oracle.read()


def test_three_configurations():
    """The paper's form, dense rewards, and a core that the policy shares."""
    assert STORED.keys() == {"paper", "dense", "shared"}
    configs = [stored.config for stored in STORED.values()]
    assert {config.reward for config in configs} == {
        "final",
        "log-probability",
        "gain",
    }
    for option in (
        "policy_into_core",
        "baseline_into_core",
        "classify_every_step",
    ):
        assert {getattr(config, option) for config in configs} == {False, True}
    assert {config.locator_bound for config in configs} == {*location_network.BOUNDS}


def test_parameters_are_those_of_the_agent():
    """Names and shapes are those of init for the stored settings."""
    for stored in STORED.values():
        params = flat(model.init(np.random.default_rng(0), stored.config))
        found = flat(stored.params)
        assert {name: a.shape for name, a in found.items()} == {
            name: a.shape for name, a in params.items()
        }
        assert found.keys() <= stored.expected.keys()
        count = sum(a.size for a in found.values())
        assert parameters.size(model.shapes(stored.config)) == count
        assert all(a.dtype == np.float64 for a in found.values())


def test_stored_numbers_are_not_degenerate():
    """No gradient is zero; rewards and advantages differ between rows."""
    for stored in STORED.values():
        for name in flat(stored.params):
            assert stored.expected[name].any(), name
        assert np.ptp(stored.expected["R"]) > 0
        assert np.ptp(stored.expected["advantage"]) > 0
        assert (np.abs(stored.locations) > 1).any()


@pytest.mark.parametrize("name", STORED)
def test_we_agree(name):
    """Losses, returns, advantages and all gradients agree with PyTorch's to 1e-12."""
    rows = [row for row in oracles.by_pytorch()() if row.subject == name]
    assert {row.tensor for row in rows} == STORED[name].expected.keys()
    assert {row.limit for row in rows} == {1e-12}
    assert [row for row in rows if not row.proved] == []
