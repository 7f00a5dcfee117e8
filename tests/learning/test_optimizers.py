"""Optimisers against textbook loops over single numbers; schedules; clipping."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp.agent import parameters
from ramnp.learning import optimizers

SIZE, STEPS = 4, 7
SHAPES = {"all": {"b": (SIZE,)}}


def run(optimizer, gradients, vector, **options):
    """Take a step per gradient, in place; return the optimiser's state."""
    state = optimizers.init_state(optimizer, vector)
    for step, gradient in enumerate(gradients, start=1):
        optimizers.OPTIMIZERS[optimizer].step(
            vector, gradient, state, step=step, **options
        )
    return state


def test_sgd_equals_the_textbook(rng):
    """v <- momentum v + g, w <- w - rate v, number by number."""
    start, gradients = rng.standard_normal(SIZE), rng.standard_normal((STEPS, SIZE))
    vector = start.copy()
    run("sgd", gradients, vector, learning_rate=0.1, momentum=0.9)
    for i in range(SIZE):
        w, v = start[i], 0.0
        for g in gradients[:, i]:
            v = 0.9 * v + g
            w = w - 0.1 * v
        assert vector[i] == pytest.approx(w, rel=1e-12)


def test_adam_equals_the_textbook(rng):
    """Kingma and Ba's algorithm 1, number by number, over gradients of many sizes."""
    start = rng.standard_normal(SIZE)
    gradients = rng.standard_normal((STEPS, SIZE)) * [1e-8, 1e-3, 1, 1e5]
    vector = start.copy()
    run("adam", gradients, vector, learning_rate=0.1, momentum=0.9)
    for i in range(SIZE):
        w, m, v = start[i], 0.0, 0.0
        for step, g in enumerate(gradients[:, i], start=1):
            m = 0.9 * m + (1 - 0.9) * g
            v = 0.999 * v + (1 - 0.999) * g**2
            m_hat = m / (1 - 0.9**step)
            v_hat = v / (1 - 0.999**step)
            w = w - 0.1 * m_hat / (math.sqrt(v_hat) + 1e-8)
        assert vector[i] == pytest.approx(w, rel=1e-12)


def test_first_step_of_adam_has_a_closed_form():
    """It is rate · g / (|g| + ε): about the rate itself, for any size of g."""
    gradient = np.array([3.0, -1e-3, 2e6, 1e-8, 0.0])
    vector = np.zeros(5)
    run("adam", [gradient], vector, learning_rate=0.01, momentum=0.9)
    assert np.allclose(vector, -0.01 * gradient / (np.abs(gradient) + 1e-8), rtol=1e-9)
    assert vector[:4] == pytest.approx([-0.01, 0.01, -0.01, -0.005], rel=1e-4)


def test_momentum_0_is_plain_descent(rng):
    """Without momentum a step is the gradient times the rate."""
    gradient, vector = rng.standard_normal(SIZE), np.zeros(SIZE)
    run("sgd", [gradient] * 3, vector, learning_rate=0.1, momentum=0.0)
    assert np.allclose(vector, -0.3 * gradient)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_a_valley_is_descended(optimizer):
    """The minimum of Σ c_i w_i² / 2 is found."""
    steepness = np.array([0.5, 1.0, 3.0, 2.0])
    vector = np.array([1.0, -2.0, 3.0, -1.0])
    state = optimizers.init_state(optimizer, vector)
    for step in range(1, 1001):
        rate = 0.1 * (1 - step / 1000)
        gradient = steepness * vector
        optimizers.OPTIMIZERS[optimizer].step(
            vector, gradient, state, rate, 0.9, step, SHAPES
        )
    assert np.abs(vector).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_steps_are_in_place_and_keep_the_dtype(rng, optimizer, dtype):
    """Vector and state change where they lie, the gradient not at all."""
    vector, gradient = rng.standard_normal((2, SIZE)).astype(dtype)
    gradient.flags.writeable = False
    before, state = vector.copy(), optimizers.init_state(optimizer, vector)
    arrays = {name: array for name, array in state.items()}
    assert all(a.dtype == dtype and not a.any() for a in arrays.values())
    step = optimizers.OPTIMIZERS[optimizer].step
    assert step(vector, gradient, state, 0.1, 0.9, 1, SHAPES) is None
    assert not np.any(vector == before) and vector.dtype == dtype
    assert state.keys() == arrays.keys()
    for name, array in arrays.items():
        assert state[name] is array and array.all() and array.dtype == dtype


@pytest.mark.parametrize("shape", [(64, 96), (96, 64), (80, 80)])
def test_orthogonalize_changes_singular_values_alone(rng, shape):
    """UΣVᵀ becomes U p(p(p(Σ / |Σ|))) Vᵀ, p(s) = 3.4445 s - 4.775 s³ + 2.0315 s⁵."""
    G = rng.standard_normal(shape)
    U, S, Vt = np.linalg.svd(G, full_matrices=False)
    s = S / math.sqrt((S**2).sum())
    for _ in range(3):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    got = optimizers.orthogonalize(G)
    assert np.allclose(got, U * s @ Vt, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonalize_brings_singular_values_close_to_1(rng, dtype):
    """From 0.03 of their norm upwards they end in 0.65 to 1.25, whatever its size."""
    U, _ = np.linalg.qr(rng.standard_normal((128, 64)))
    V, _ = np.linalg.qr(rng.standard_normal((64, 64)))
    S = np.linspace(0.2, 1, 64)  # of a norm of 5.2
    for size in (1e-8, 1.0, 1e8):
        got = optimizers.orthogonalize((size * (U * S) @ V.T).astype(dtype))
        assert got.dtype == dtype
        ends = np.linalg.svd(got, compute_uv=False)
        assert 0.65 < ends.min() and ends.max() < 1.25


def test_orthogonalize_leaves_zeros(rng):
    """A matrix of zeros has no direction, and nothing becomes NaN."""
    assert not optimizers.orthogonalize(np.zeros((64, 70), np.float32)).any()


def test_orthogonalize_drops_entries_below_rounding(rng):
    """A dead unit's column gives what a column of zeros gives, without subnormals."""
    G = rng.standard_normal((64, 96)).astype(np.float32)
    G[:, :10] = 0
    expected = optimizers.orthogonalize(G)
    for size in (1e-16, 1e-20, 1e-30, 1e-40):
        G[:, :10] = size
        assert np.array_equal(optimizers.orthogonalize(G), expected)


def test_negligible_moments_become_0():
    """What is subnormal or soon will be is dropped, and nothing that matters."""
    moments = np.array([0, 1e-40, -1e-31, 1e-29, -1e-8, 1], np.float32)
    state = {"first_moment": moments, "second_moment": moments.copy()}
    optimizers.drop_negligible(state)
    for array in state.values():
        assert array.tolist() == [0, 0, 0, *moments[3:].tolist()]
        assert array[3:].all()


def test_muon_steps_along_orthogonalized_momentum(rng):
    """W goes rate · 0.2 √(longer side) along orthogonalize(β m + (1 - β) g)."""
    shapes = {"core": {"W": (64, 100), "b": (100,)}, "action": {"W": (100, 10)}}
    sizes = [6400, 100, 1000]
    start = rng.standard_normal(sum(sizes))
    gradients = rng.standard_normal((3, sum(sizes)))
    options = {"learning_rate": 0.1, "momentum": 0.9}
    vector, by_adam = start.copy(), start.copy()
    run("muon", gradients, vector, shapes=shapes, **options)
    run("adam", gradients, by_adam, **options)
    W, m = start[:6400].copy(), np.zeros(6400)
    for g in gradients[:, :6400]:
        m = 0.9 * m + (1 - 0.9) * g
        ahead = (0.9 * m + (1 - 0.9) * g).reshape(64, 100)
        W -= 0.1 * 0.2 * math.sqrt(100) * optimizers.orthogonalize(ahead).ravel()
    assert np.allclose(vector[:6400], W, rtol=1e-12)
    # Vectors, and matrices with a side below 64, are bit-identical to Adam's.
    assert np.array_equal(vector[6400:], by_adam[6400:])


def test_muon_takes_the_same_steps_in_threads(rng):
    """To the last bit; each large matrix is orthogonalised once a step, in any order."""
    shapes = {"core": {"W": (64, 100), "b": (100,), "V": (100, 64), "U": (64, 64)}}
    size = sum(math.prod(shape) for shape in shapes["core"].values())
    start, gradients = rng.standard_normal(size), rng.standard_normal((3, size))
    options = {"learning_rate": 0.1, "momentum": 0.9, "shapes": shapes}
    alone, together = start.copy(), start.copy()
    run("muon", gradients, alone, **options)
    asked = []

    def backwards(function, matrices):
        asked.append([matrix.shape for matrix in matrices])
        return list(pool.map(function, matrices[::-1]))[::-1]

    with ThreadPoolExecutor(2) as pool:
        run("muon", gradients, together, **options, each=backwards)
    assert np.array_equal(alone, together)
    assert asked == 3 * [[(64, 100), (100, 64), (64, 64)]]
    assert [name for name, o in optimizers.OPTIMIZERS.items() if o.parallel] == ["muon"]


def test_steps_of_muon_are_about_as_large_as_those_of_adam(rng):
    """So the rate of one serves the other: root mean squares within a factor of 2."""
    shapes = {"core": {"W": (128, 128)}}
    gradients = rng.standard_normal((50, 128 * 128))
    moved = {}
    for name in ("muon", "adam"):
        vector = np.zeros(128 * 128)
        state = optimizers.init_state(name, vector)
        for step, gradient in enumerate(gradients, start=1):
            before = vector.copy()
            optimizers.OPTIMIZERS[name].step(
                vector, gradient, state, 0.1, 0.9, step, shapes
            )
        moved[name] = np.linalg.norm(vector - before)
    assert 0.5 < moved["muon"] / moved["adam"] < 2


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("final_rate", [0.0, 0.01, 1.0])
def test_schedules_go_from_the_first_rate_to_the_last(schedule, final_rate):
    """They start at the rate, end at rate · final_rate, and never rise between."""

    def rate(progress):
        return optimizers.learning_rate_at(progress, schedule, 0.2, final_rate)

    rates = [rate(step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.2 * final_rate, abs=1e-17)
    assert rate(0.5) == pytest.approx(0.2 * (1 + final_rate) / 2)
    assert all(b <= a for a, b in itertools.pairwise(rates))


def test_schedules_have_the_shapes_they_are_named_for():
    """A straight line, half a cosine, a constant."""
    at = optimizers.learning_rate_at
    assert at(0.25, "linear", 1.0, 0.0) == pytest.approx(0.75)
    assert at(0.25, "cosine", 1.0, 0.0) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert {at(p, "constant", 0.3, 0.0) for p in (0, 0.5, 1)} == {0.3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decay_shrinks_weights_in_place_and_leaves_biases(rng, dtype):
    """W becomes (1 - 0.1 · 0.5) W, filters as well; vectors keep their bits."""
    shapes = {"core": {"W_h": (4, 3), "b": (3,)}, "conv": {"W": (2, 3, 3, 1)}}
    vector = rng.standard_normal(parameters.size(shapes)).astype(dtype)
    before = vector.copy()
    tree = parameters.views(vector, shapes)
    optimizers.decay_weights(tree, 0.1, 0.5)
    assert vector.dtype == dtype
    biases = slice(12, 15)
    assert np.array_equal(vector[biases], before[biases])
    before[biases] /= 0.95
    assert np.allclose(vector, 0.95 * before, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_scales_the_whole_gradient(rng, dtype):
    """Above the limit, the direction stays and the norm becomes the limit."""
    gradient = rng.standard_normal(SIZE).astype(dtype)
    before = gradient.copy()
    norm = np.linalg.norm(before)
    assert optimizers.clip_by_global_norm(gradient, norm / 4) == pytest.approx(norm)
    assert gradient.dtype == dtype
    assert np.allclose(gradient, before / 4)


def test_clipping_leaves_small_gradients_alone(rng):
    """At the limit or below, also at 0, nothing changes."""
    gradient = rng.standard_normal(SIZE)
    before = gradient.copy()
    norm = optimizers.clip_by_global_norm(gradient, 100.0)
    assert norm == pytest.approx(np.linalg.norm(before))
    assert np.array_equal(gradient, before)
    assert optimizers.clip_by_global_norm(np.zeros(SIZE), 1.0) == 0
