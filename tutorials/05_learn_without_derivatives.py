# %% [markdown]
# # 5. Learn without derivatives
#
# **What you'll do.** Find the peak of a landscape of which you only ever get heights, one
# random place at a time. Derive the score function, prove it by quadrature, subtract a
# baseline, measure what that saves, and then write REINFORCE for a chain of choices as the
# agent uses it.
#
# **What you'll learn.** How the gradient of an expectation comes out of samples; why a
# baseline costs nothing and saves most of the noise; and why a sample must never be clipped.
#
# **What you need.** Tutorial 1's last figure; expectations; the Gaussian density. 30 minutes.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, arrow

from ramnp.agent import location_network
from ramnp.learning import reinforce
from ramnp.proofs import complex_step

PEAK, WIDTH = np.array([0.5, -0.3]), 0.35
MU, STD = np.array([-0.1, 0.2]), 0.25

# %% [markdown]
# ## The game
#
# You stand at $\mu$. You throw a dart, $l \sim N(\mu, \sigma^2 I)$, and are told the reward
# $r(l)$, a number. You know nothing else about $r$, least of all its derivative. Where should
# $\mu$ go? Uphill on what you get *on average*:
#
# $$J(\mu) = \mathrm{E}[r(l)] = \int r(l)\, N(l; \mu, \sigma^2 I)\, \mathrm{d}l$$
#
# This is smooth in $\mu$ however rough $r$ is: moving $\mu$ moves the weights, not the rewards.
# That is the way out of tutorial 1's staircase. So that we can check everything, let $r$ be a
# hill of which we know $J$: a Gaussian bump averaged by a Gaussian is a wider, lower one.
#
# $$r(l) = e^{-|l - m|^2 / 2w^2} \qquad
#   J(\mu) = \frac{w^2}{w^2 + \sigma^2}\, e^{-|\mu - m|^2 / 2(w^2 + \sigma^2)} \qquad
#   \nabla J = J\, \frac{m - \mu}{w^2 + \sigma^2}$$


# %%
def reward(l):
    return np.exp(-((l - PEAK) ** 2).sum(axis=-1) / (2 * WIDTH**2))


def J(mu, std=STD):
    wide = WIDTH**2 + std**2
    return WIDTH**2 / wide * np.exp(-((mu - PEAK) ** 2).sum() / (2 * wide))


exact = J(MU) * (PEAK - MU) / (WIDTH**2 + STD**2)
by_step = complex_step.derivatives(lambda a: J(a["mu"]), {"mu": MU})["mu"]
assert np.allclose(exact, by_step, rtol=1e-13)
print(f"J = {J(MU):.3f}, its gradient = ({exact[0]:.3f}, {exact[1]:.3f})")

# %% [markdown]
# ## The score function
#
# Differentiate under the integral, then write $\nabla N = N\, \nabla \log N$, so that the
# density is back and the integral is an expectation again:
#
# $$\nabla J = \int r\, \nabla N \,\mathrm{d}l = \int r\, N\, \nabla \log N \,\mathrm{d}l
#   = \mathrm{E}\big[\, r(l)\, \nabla_\mu \log \pi(l) \,\big]$$
#
# No derivative of $r$ is left. $\nabla_\mu \log \pi$ is called the score, and for the Gaussian
#
# $$\log \pi(l) = -\frac{|l - \mu|^2}{2\sigma^2} - \log 2\pi\sigma^2 \qquad
#   \nabla_\mu \log \pi(l) = \frac{l - \mu}{\sigma^2}$$
#
# an arrow from where you stand to where the dart fell. Multiply by the reward and average: the
# darts that paid well pull hardest.


# %%
def log_pi(l, mu, std):
    total = -math.log(2 * math.pi * std**2)
    for i in range(2):
        total -= (l[i] - mu[i]) ** 2 / (2 * std**2)
    return total


rng = np.random.default_rng(5)
darts = location_network.sample(np.tile(MU, (6, 1)), STD, rng)
fast = location_network.log_pi(darts, MU, STD)
score = location_network.score(darts, MU, STD)
for n, l in enumerate(darts):
    assert np.isclose(fast[n], log_pi(l, MU, STD), rtol=1e-13)
    by_step = complex_step.derivatives(
        lambda a, l=l: location_network.log_pi(l, a["mu"], STD), {"mu": MU}
    )
    assert np.allclose(score[n], by_step["mu"], rtol=1e-13)
    assert np.allclose(score[n], (l - MU) / STD**2, rtol=1e-13)

# %% [markdown]
# ## Proof by quadrature
#
# An average over a Gaussian can be computed without darts: Gauss and Hermite's nodes and
# weights integrate it to rounding, if the function is smooth. So the claim
# $\nabla J = \mathrm{E}[r \cdot \mathrm{score}]$ can be tested without any noise:

# %%
x, w = np.polynomial.hermite_e.hermegauss(40)
z = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
weight = np.outer(w, w).ravel() / w.sum() ** 2
nodes = MU + STD * z
scores = location_network.score(nodes, MU, STD)


def mean(values):
    """E[values] under N(MU, STD² I)."""
    return weight @ values


assert np.isclose(mean(reward(nodes)), J(MU), rtol=1e-12)
assert np.allclose(mean(reward(nodes)[:, None] * scores), exact, rtol=1e-12)

# %%
axis = np.linspace(-1, 1, 121)
plane = np.stack(np.meshgrid(axis, axis), axis=-1)
darts = location_network.sample(np.tile(MU, (60, 1)), STD, np.random.default_rng(1))
pull = reward(darts)[:, None] * location_network.score(darts, MU, STD)

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
for ax in axes:
    ax.contourf(axis, axis, reward(plane), levels=10, cmap="Greys", alpha=0.6)
    ax.plot(*PEAK, "^", color=COLOURS["ink"], ms=8)
    ax.set(xlabel="$l_x$", aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
axes[0].quiver(
    *np.tile(MU, (60, 1)).T,
    *pull.T,
    color=COLOURS["policy"],
    alpha=0.55,
    angles="xy",
    scale_units="xy",
    scale=8,
    width=0.004,
)
axes[0].plot(*darts.T, ".", color=COLOURS["where"], ms=5)
axes[0].set(title="each dart's pull, reward · score", ylabel="$l_y$", ylim=(1, -1))
arrow(axes[1], MU, MU + pull.mean(axis=0), COLOURS["policy"], 6)
arrow(axes[1], MU, MU + exact, COLOURS["ink"], 2)
axes[1].set_title("their mean (wide, red) and the gradient (black)")
for ax in axes:
    ax.plot(*MU, "o", color=COLOURS["policy"], ms=8)
plt.show()

# %% [markdown]
# **Figure.** The landscape of the reward in grey, darker is higher, its peak a triangle; the
# policy's mean a red dot. Left, 60 darts and, from the mean, the pull of each one: short where
# the reward is small, long towards the hill. Right, the mean of the 60 pulls beside the true
# gradient: nearly the same direction, from heights alone.
#
# ## A baseline
#
# The score of a Gaussian is as often to the left as to the right: $\mathrm{E}[\mathrm{score}] =
# \int \nabla N = \nabla \int N = \nabla 1 = 0$. So we may subtract any number $b$ from all
# rewards, and the expectation stays:
#
# $$\nabla J = \mathrm{E}\big[ (r - b)\, \nabla \log \pi \big]
#   \qquad \text{for any } b \text{ that does not depend on } l$$
#
# The noise does not stay. The variance of one sample, summed over both coordinates, is
#
# $$\mathrm{E}\big[ (r - b)^2\, |\mathrm{score}|^2 \big] - |\nabla J|^2$$
#
# a parabola in $b$, lowest at $b^* = \mathrm{E}[r\, |\mathrm{score}|^2] \,/\,
# \mathrm{E}[|\mathrm{score}|^2]$. Close to it, and easier to learn, is $b = \mathrm{E}[r] = J$.
#
# With $b = 0$, whether you learn anything depends on where the zero of the reward happens to
# be. Pay one unit more for every dart, $r + 1$: the same game, and far more noise.


# %%
def variance(r, b):
    """Of one sample's gradient estimate, exactly, by quadrature."""
    squared = (scores**2).sum(axis=1)
    return mean((r - b) ** 2 * squared) - (exact**2).sum()


r = reward(nodes)
assert np.abs(mean(scores)).max() < 1e-12
for b in (-1.0, 0.3, 7.0):
    assert np.allclose(mean((r - b)[:, None] * scores), exact, rtol=1e-10)

squared = (scores**2).sum(axis=1)
best = mean(r * squared) / mean(squared)
assert np.isclose(mean(squared), 2 / STD**2)
for b in (best - 0.01, best + 0.01):
    assert variance(r, b) > variance(r, best)

print(f"E[r] = {mean(r):.3f}, best b = {best:.3f}; variance:")
variances = {
    "b = 0": variance(r, 0),
    "b = E[r]": variance(r, mean(r)),
    "best b": variance(r, best),
    "r + 1, b = 0": variance(r + 1, 0),
}
rounded = {name: f"{value:.3g}" for name, value in variances.items()}
print(rounded)
assert [*rounded.values()] == ["2.05", "1.31", "1.28", "44"]
assert round(variances["r + 1, b = 0"] / variances["b = E[r]"]) == 34

# %%
batches = 400
fig_rng = np.random.default_rng(2)
shape = (batches, 20, 2)
darts = MU + STD * fig_rng.standard_normal(shape)
paid = reward(darts) + 1
estimates = {
    "reward r + 1, no baseline": paid,
    "reward r + 1, b = E[r + 1]": paid - mean(r + 1),
}
uphill = []
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharex=True, sharey=True)
for ax, (title, advantage) in zip(axes, estimates.items()):
    drawn = (advantage[..., None] * location_network.score(darts, MU, STD)).mean(axis=1)
    colour = COLOURS["baseline" if "E[" in title else "policy"]
    ax.plot(*drawn.T, ".", color=colour, ms=4, alpha=0.6)
    arrow(ax, (0, 0), exact, COLOURS["ink"], 2.5)
    ax.axhline(0, color=COLOURS["muted"], lw=0.8, zorder=0)
    ax.axvline(0, color=COLOURS["muted"], lw=0.8, zorder=0)
    ax.set(title=title, xlabel="gradient, x", aspect="equal")
    uphill.append(f"{100 * np.mean(drawn @ exact > 0):.0f} %")
axes[0].set_ylabel("gradient, y")
plt.show()
print("batches that point uphill:", uphill)
assert uphill == ["68 %", "100 %"]

# %% [markdown]
# **Figure.** 400 estimates of the gradient, each from a batch of 20 darts; the arrow is the true
# one. Left, without a baseline, the cloud is so wide that the arrow hardly matters. Right, the
# same darts with the mean reward subtracted: a cloud around the arrow's tip.
#
# The numbers, exact by quadrature: the variance of one sample is 2.05 without a baseline, 1.31
# with $b = \mathrm{E}[r]$, 1.28 with the best $b$. So $\mathrm{E}[r]$ is nearly as good as the best.
# With $r + 1$ and no baseline it is 44: 34 times as many darts for the same precision. Of the
# batches of 20 darts, 68 % then point uphill at all, and 100 % with the baseline.
#
# ## The baseline is learned
#
# $\mathrm{E}[r]$ is unknown and changes as the policy learns. So a network predicts it: $b$ is
# fitted to the returns by squared error, and
#
# $$\frac{\partial}{\partial b}\, \mathrm{E}\big[(b - r)^2\big] = 2\,(b - \mathrm{E}[r]) = 0
#   \quad \text{at} \quad b = \mathrm{E}[r]$$
#
# so what it learns is just the $b$ we want. In the agent, $b_t$ is a linear map of $h_t$: what the
# agent may expect, given all that it has seen. It may depend on everything *before* the dart is
# thrown, but not on the dart. And it is held fixed inside the policy's loss: differentiating
# the advantage through $b$ would teach the baseline to flatter the policy.
#
# The other way, for which nothing has to be learned: throw several darts at the same image,
# and let each one's baseline be the mean of *the others* (`leave-one-out`).

# %%
M, N = 4, 3  # four rollouts of three images; row n looks at image n mod 3
R = np.random.default_rng(3).random((2, M * N))
fast = reinforce.advantages(R, None, "leave-one-out", M)
for t in range(2):
    for m in range(M):
        for n in range(N):
            others = [R[t, k * N + n] for k in range(M) if k != m]
            mine = R[t, m * N + n] - sum(others) / len(others)
            assert np.isclose(fast[t, m * N + n], mine, rtol=1e-12)
assert (reinforce.advantages(R, R / 2, "learned", M) == R - R / 2).all()

# %% [markdown]
# ## Up the hill, without a hill
#
# Now a reward that no derivative could help with: 1 on a disc, 0 elsewhere. Flat, with a cliff.
# $\nabla r$ is 0 wherever it exists, but $\nabla J$ is not.


# %%
def on_disc(l):
    return (((l - PEAK) ** 2).sum(axis=-1) < 0.3**2).astype(float)


def climb(reward, offset=0.0, with_baseline=True, steps=200, rate=0.05, runs=40):
    """REINFORCE on runs at once, batches of 20 darts; return their ways."""
    rng = np.random.default_rng(0)
    mu = np.tile(MU, (runs, 1, 1))
    b = np.full((runs, 1), offset)  # what a miss pays
    ways = [mu]
    for _ in range(steps):
        l = location_network.sample(np.tile(mu, (1, 20, 1)), STD, rng)
        R = reward(l) + offset
        advantage = R - b if with_baseline else R
        pull = advantage[..., None] * location_network.score(l, mu, STD)
        mu = mu + rate * pull.mean(axis=1, keepdims=True)
        b = b + 0.2 * (R.mean(axis=1, keepdims=True) - b)  # a step down (b - R)²
        ways.append(mu)
    return np.concatenate(ways, axis=1)  # (runs, steps + 1, 2)


settings = {
    "with a baseline": {},
    "without": {"with_baseline": False},
    "r + 1, with a baseline": {"offset": 1.0},
    "r + 1, without": {"offset": 1.0, "with_baseline": False},
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), sharey=True)
missed = {}
for ax, (title, setting) in zip(axes, settings.items()):
    ways = climb(on_disc, **setting)
    ax.contourf(axis, axis, on_disc(plane), levels=[0.5, 2], colors=[COLOURS["unseen"]])
    for way in ways[:10]:
        colour = COLOURS["policy" if "without" in title else "baseline"]
        ax.plot(*way.T, color=colour, lw=1, alpha=0.8)
        ax.plot(*way[-1], "o", color=COLOURS["ink"], ms=4)
    distance = np.sqrt(((ways[:, -50:] - PEAK) ** 2).sum(axis=-1))
    missed[title] = f"{distance.mean():.2f}"
    ax.set(title=title, aspect="equal", xlabel="$\\mu_x$", xticks=[-1, 0, 1])
axes[0].set(xlim=(-1, 1), ylim=(1, -1), ylabel="$\\mu_y$", yticks=[-1, 0, 1])
plt.show()
print(missed)
assert [*missed.values()] == ["0.04", "0.03", "0.04", "0.22"]

# %% [markdown]
# **Figure.** The way of $\mu$ over 200 batches of 20 darts, ten runs each, towards a disc on
# which the reward is 1; black dots are the ends. Three of the four settings bring every run to the
# middle of the disc. In the last, where every dart pays one unit more and nothing is subtracted,
# the runs stagger about.
#
# In 40 runs, over the last 50 batches, $\mu$ is on average 0.04 from the middle with a baseline, whatever the rewards'
# zero. Without one it is 0.03 if a miss pays 0: once every dart hits, no baseline is needed for
# an easy game like this. And 0.22 if a miss pays 1. A baseline is an insurance: it makes learning
# independent of an offset that you cannot know.
#
# ## A chain of choices
#
# The agent throws not one dart but $T - 1$: glimpse, choose, glimpse, choose, ... glimpse. The
# probability of the whole chain is a product, so the score is a sum,
# $\sum_t \nabla \log \pi(l_t)$, and the gradient is $\mathrm{E}[R \sum_t \nabla \log \pi(l_t)]$.
# A reward paid *before* choice $t$ cannot have been caused by it: given all that went before, the
# expectation of such a product is 0, by the same argument as for the baseline. So each choice is
# paid with what comes after it only:
#
# $$\frac{1}{M} \sum_i \sum_t \nabla \log \pi(l_t)\, (R_t - b_t) \qquad
#   R_t = \sum_{s > t} \gamma^{\,s - t - 1}\, r_s$$
#
# With the paper's reward, 1 for the right class at the end, all $R_t$ are the same and
# $\gamma = 1$. The package also has rewards at every step.


# %%
def return_to_go(r, t, discount):
    total = 0.0
    for s in range(t + 1, len(r)):
        total += discount ** (s - t - 1) * r[s]
    return total


r = np.random.default_rng(4).standard_normal((6, 3))  # T = 6 rewards, three rows
fast = reinforce.returns_to_go(r, 0.8)
assert fast.shape == (5, 3)  # six glimpses, five choices
for t in range(5):
    for n in range(3):
        assert np.isclose(fast[t, n], return_to_go(r[:, n], t, 0.8), rtol=1e-12)

# %% [markdown]
# ## Never clip a sample
#
# A dart may land outside the image. Many programs push it back to the border, or squash it by
# $\tanh$, and then take the score of the *moved* dart. But the moved dart was not drawn from the
# Gaussian; its mean is not $\mu$, and the score no longer averages to 0. At $\mu = 0.9$,
# $\sigma = 0.17$:

# %%
mu, std = 0.9, 0.17
l = np.linspace(mu - 9 * std, mu + 9 * std, 200_001)
density = np.exp(-((l - mu) ** 2) / (2 * std**2))
density /= density.sum()
bias = {
    "as drawn": density @ ((l - mu) / std**2),
    "clipped to the image": density @ ((np.clip(l, -1, 1) - mu) / std**2),
    "squashed by tanh": density @ ((np.tanh(l) - mu) / std**2),
}
for name, value in bias.items():
    print(f"mean score {name}: {abs(value):.2f} inwards")
assert abs(bias["as drawn"]) < 1e-10
assert round(bias["clipped to the image"], 2) == -1.01
assert round(bias["squashed by tanh"], 2) == -6.70

# %% [markdown]
# As drawn, 0. Clipped, −1.01: a pull towards the middle at every step, paid or not. Squashed,
# −6.70. (A test whose means stay near 0 sees nothing of it.) So here the sample stays as it is, and
# a glimpse beyond the border sees background.
#
# ## In practice, and in the paper
#
# - The paper's location network is one linear map to $\mu_t$; $\sigma$ is fixed, and its value is
#   not given. The package's default is 0.15, in half image sides. The score grows like
#   $1/\sigma$ and its variance like $1/\sigma^2$: a small $\sigma$ aims well and learns slowly.
# - $\sigma$ is the standard deviation. A program that puts it where the variance belongs still
#   learns, at another speed.
# - Differentiating *through* the sample, $l = \mu + \sigma\varepsilon$, is no way out here: $r$
#   would have to have a derivative. Where it has, that way is less noisy.
# - The first glimpse is at a random place, chosen by nobody. $T$ glimpses make $T - 1$ choices.
# - The minus sign, from return up to loss down, appears once: in `reinforce.py`.
#
# ## Exercises
#
# In `exercises/05_learn_without_derivatives.py`; `pytest tutorials/exercises -k 05` checks them.
#
# 1. *Half an hour.* The score by $\log \sigma$, so that the policy can learn how wide to look.
# 2. *An hour.* Estimate the best constant baseline from a batch, leaving each sample out of its own.
# 3. *A day.* Find a narrow peak far away by learning both $\mu$ and $\sigma$: look widely first,
#    then ever more closely.
