# %% [markdown]
# # 5. Learn without derivatives
#
# [← 4. Unroll through time](04_unroll_through_time.ipynb) · [Contents](README.md) ·
# [6. Assemble the agent →](06_assemble_the_agent.ipynb)
#
# Chapter 1 ended at a wall: move $l$ a little and nothing changes, so no derivative tells
# the agent where to look. Yet you can find a light switch in a dark room: reach somewhere,
# and if your hand got closer than you expected, reach there more often. This chapter turns
# this idea into a gradient. It is the one part of the agent that backpropagation cannot
# train.
#
# **What you'll do.** Find the peak of a landscape of which you only get heights, one random
# place at a time. Derive the score function, prove it by quadrature, subtract a baseline,
# and go from one choice to a chain of choices, as the agent makes them.
#
# **What you'll learn.** How to get the gradient of an expectation from samples; when a
# baseline reduces noise, and when it does not; which rewards count for a choice; and why a
# sample must keep its own score.
#
# **What you need.** Chapter 1's last figure; expectations; the Gaussian density. 40 minutes.
# **Running time.** 4 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, arrow, moving

from ramnp.agent import location_network
from ramnp.proofs import complex_step

PEAK, WIDTH = np.array([0.5, -0.3]), 0.35
MU, STD = np.array([-0.1, 0.2]), 0.25

# %% [markdown]
# ## The game
#
# A **policy** is a rule for choosing at random. Ours is called $\pi$, as in the paper: it
# stands at $\mu$ and throws a dart, which lands at $l$ with the density
#
# $$\pi(l) = \mathcal{N}(l;\ \mu,\ \sigma^2 I).$$
#
# You are told the reward $r(l)$, a number, and nothing else about $r$: above all not its
# derivative. Where should $\mu$ go? Uphill on the reward *on average*:
#
# $$J(\mu) = \mathrm{E}[r(l)] = \int r(u)\, \pi(u)\, \mathrm{d}u$$
#
# This is smooth in $\mu$ however rough $r$ is: moving $\mu$ changes the probabilities, not
# the rewards. That is the way around chapter 1's staircase. To be able to check everything,
# let $r$ be a hill of which we know $J$: a bump of width $\tau$ around its peak $l^*$.
# Averaged by a Gaussian, it is a wider and lower bump.
#
# $$r(l) = \exp\Big({-\frac{|l - l^*|^2}{2 \tau^2}}\Big)$$
#
# $$J(\mu) = \frac{\tau^2}{\tau^2 + \sigma^2}
#   \exp\Big({-\frac{|\mu - l^*|^2}{2 (\tau^2 + \sigma^2)}}\Big)$$
#
# $$\nabla J = J\, \frac{l^* - \mu}{\tau^2 + \sigma^2}$$


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
# Differentiate under the integral. The gradient of a density is the density times the
# gradient of its logarithm, $\nabla \pi = \pi\, \nabla \log \pi$, so the integral
# becomes an expectation again:
#
# $$\nabla J = \int r\, \nabla \pi \,\mathrm{d}u$$
#
# $$\phantom{\nabla J} = \int r\, \pi\, \nabla \log \pi \,\mathrm{d}u$$
#
# $$\phantom{\nabla J} = \mathrm{E}\big[\, r(l)\, \nabla \log \pi(l) \,\big]$$
#
# No derivative of $r$ is left. $\nabla \log \pi$, the gradient by $\mu$, is called the
# **score**. For the Gaussian
#
# $$\log \pi(l) = -\frac{|l - \mu|^2}{2\sigma^2} + \text{const}$$
#
# $$\nabla \log \pi(l) = \frac{l - \mu}{\sigma^2}$$
#
# it is an arrow from where you stand to where the dart fell. (The constant is that of the
# density, $-2 \log \sigma$ and a number: it does not depend on $\mu$.) Multiply by the
# reward and average: the darts with the highest rewards pull hardest.
#
# > **This is REINFORCE** (R. J. Williams, [*Simple statistical gradient-following algorithms
# > for connectionist reinforcement learning*](https://doi.org/10.1007/BF00992696), Machine
# > Learning 8, 1992): throw, and move $\mu$ along reward × score. On average, this is a step
# > uphill on $J$.

# %%
rng = np.random.default_rng(5)
darts = location_network.sample(np.tile(MU, (6, 1)), STD, rng)
score = location_network.score(darts, MU, STD)
assert np.allclose(score, (darts - MU) / STD**2, rtol=1e-13)
worst = 0.0
for n, l in enumerate(darts):
    by_step = complex_step.derivatives(
        lambda a, l=l: location_network.log_pi(l, a["mu"], STD), {"mu": MU}
    )
    worst = max(worst, np.abs(score[n] - by_step["mu"]).max())
print(f"{len(darts)} scores, {worst:.0e} from the complex step")
assert worst < 1e-13

# %% [markdown]
# ## Proof by quadrature
#
# An average over a Gaussian can be computed without darts, as a weighted sum over
# well-chosen places: Gauss and Hermite's nodes and weights give it to rounding, if the
# function is smooth. So $\nabla J = \mathrm{E}[r \cdot \text{score}]$ can be tested
# without any noise:

# %%
nodes_1, weights_1 = np.polynomial.hermite_e.hermegauss(40)
nodes = MU + STD * np.stack(np.meshgrid(nodes_1, nodes_1), axis=-1).reshape(-1, 2)
weights = np.outer(weights_1, weights_1).ravel() / weights_1.sum() ** 2
scores = location_network.score(nodes, MU, STD)


def mean(values):
    """E[values] under N(MU, STD² I)."""
    return weights @ values


found = mean(reward(nodes)[:, None] * scores)
print(f"E[r · score] = ({found[0]:.12f}, {found[1]:.12f})")
print(f"gradient of J = ({exact[0]:.12f}, {exact[1]:.12f})")
assert np.isclose(mean(reward(nodes)), J(MU), rtol=1e-12)
assert np.allclose(found, exact, rtol=1e-12)

# %% [markdown]
# And with darts? Sixty of them:

# %%
darts = location_network.sample(np.tile(MU, (60, 1)), STD, np.random.default_rng(1))
pull = reward(darts)[:, None] * location_network.score(darts, MU, STD)
estimate = pull.mean(axis=0)
cosine = estimate @ exact / np.linalg.norm(estimate) / np.linalg.norm(exact)
print(f"mean pull = ({estimate[0]:.3f}, {estimate[1]:.3f}),", end=" ")
print(f"{np.degrees(np.arccos(cosine)):.0f}° from the gradient")

# %% figure
axis = np.linspace(-1, 1, 121)
plane = np.stack(np.meshgrid(axis, axis), axis=-1)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
for ax in axes:
    ax.contourf(axis, axis, reward(plane), levels=10, cmap="Greys", alpha=0.6)
    ax.plot(*PEAK, "^", color=COLOURS["ink"], ms=8)
    ax.set(xlabel="$l_x$", aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
tails = np.tile(MU, (60, 1)).T
style = {"angles": "xy", "scale_units": "xy", "scale": 8, "width": 0.004}
axes[0].quiver(*tails, *pull.T, color=COLOURS["policy"], alpha=0.55, **style)
axes[0].plot(*darts.T, ".", color=COLOURS["where"], ms=5)
axes[0].set(title="each dart's pull, reward · score", ylabel="$l_y$", ylim=(1, -1))
arrow(axes[1], MU, MU + estimate, COLOURS["policy"], 6)
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
# Throw some yourself. Predict before you move the offset: what will happen to the red arrow
# if every dart pays one unit more?

# %%
moving.darts(PEAK, WIDTH, MU, STD)

# %% [markdown]
# *To move:* the sliders set $\sigma$, the baseline $b$ that is subtracted from each
# reward, and an offset that is added to each reward. Orange, 20 darts; red, the mean of
# their pulls; black, the true gradient, which depends neither on the offset nor on $b$.
# Throw others a few times, with an offset of 1 and $b = 0$: the red arrow changes its
# direction from throw to throw. Set $b$ to 1, and it changes less.
#
# ## A baseline
#
# **Zero-mean lemma.** *The score is 0 on average:*
#
# $$\mathrm{E}[\nabla \log \pi] = \int \pi\, \nabla \log \pi \,\mathrm{d}u
#   = \int \nabla \pi \,\mathrm{d}u$$
#
# $$\phantom{\mathrm{E}[\nabla \log \pi]}
#   = \nabla \int \pi \,\mathrm{d}u = \nabla 1 = 0$$
#
# So any number $b$ that does not depend on $l$ may be subtracted from all rewards, and the
# expectation stays the same:
#
# $$\nabla J = \mathrm{E}\big[ (r - b)\, \nabla \log \pi \big]$$
#
# The noise does not stay the same. The variance of one dart's estimate, summed over both
# coordinates, is a parabola in $b$:
#
# $$\mathrm{E}\big[ (r - b)^2\, |\nabla \log \pi|^2 \big] - |\nabla J|^2$$
#
# Its lowest point weighs each reward by the squared length of its score:
#
# $$b^* = \frac{\mathrm{E}\big[r\, |\nabla \log \pi|^2\big]}
#   {\mathrm{E}\big[|\nabla \log \pi|^2\big]}$$
#
# $b^*$ is awkward to learn. $\mathrm{E}[r]$, the mean reward, is easy. Is it as good? That
# depends on the game. We compare three: the hill from where you stand; a **disc** on which
# the reward is 1, else 0, from the same place; and the same disc once you stand in its
# middle.

# %%
RADIUS = 0.3


def variance_of(E_r, E_r_squared, E_r2_squared, gradient):
    """Coefficients of the parabola in b: E[(r - b)² |score|²] - |gradient|²."""
    E_squared = 2 / STD**2  # E[|score|²] in two dimensions
    constant = E_r2_squared - (gradient**2).sum()
    best = E_r_squared / E_squared
    return lambda b: constant - 2 * b * E_r_squared + b**2 * E_squared, E_r, best


def on_hill():
    r, squared = reward(nodes), (scores**2).sum(axis=1)
    return variance_of(mean(r), mean(r * squared), mean(r**2 * squared), exact)


def on_disc(mu):
    """r is 1 within RADIUS of PEAK: integrate over the disc, in polar coordinates."""
    x, w = np.polynomial.legendre.leggauss(60)
    radius, angle = RADIUS * (x + 1) / 2, 2 * np.pi * np.arange(120) / 120
    u = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    l = PEAK + radius[:, None, None] * u
    density = np.exp(location_network.log_pi(l, mu, STD))
    inside = density * (w * RADIUS / 2 * radius)[:, None] * 2 * np.pi / 120
    score = location_network.score(l, mu, STD)
    paid = (inside * (score**2).sum(axis=-1)).sum()  # r² = r
    return variance_of(inside.sum(), paid, paid, np.einsum("ij,ijk->k", inside, score))


games = {
    "hill, from afar": on_hill(),
    "disc, from afar": on_disc(MU),
    "disc, from its middle": on_disc(PEAK),
}
print(
    f"{'variance at':24}{'b = 0':>8}{'b = E[r]':>10}{'b = b*':>8}{'E[r]':>8}{'b*':>8}"
)
for name, (variance, E_r, best) in games.items():
    row = f"{variance(0):8.2f}{variance(E_r):10.2f}{variance(best):8.2f}"
    print(f"{name:24}{row}{E_r:8.3f}{best:8.3f}")
variance, E_r, _ = games["disc, from its middle"]
more = 100 * (variance(E_r) / variance(0) - 1)
print(f"disc, from its middle: b = E[r] costs {more:.0f} % more than b = 0")
variance, E_r, _ = games["hill, from afar"]
print(f"hill, r + 1: {variance(-1):.1f} at b = 0, {variance(E_r):.2f} at b = E[r + 1],")
print(f"    {variance(-1) / variance(E_r):.0f} times as much")

# %%
rng = np.random.default_rng(0)  # the last row again, by four million darts
l = PEAK + STD * rng.standard_normal((4_000_000, 2))
r = (((l - PEAK) ** 2).sum(axis=1) < RADIUS**2).astype(float)
squared = ((l - PEAK) ** 2).sum(axis=1) / STD**4
print(f"{100 * r.mean():.0f} % of the darts hit")
for b in (0, 0.513, 0.163):
    print(f"b = {b}: {np.mean((r - b) ** 2 * squared):.2f}")
assert abs(r.mean() - games["disc, from its middle"][1]) < 0.001

# %% figure
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2))
for ax, (name, (variance, E_r, best)) in zip(axes, games.items()):
    b = np.linspace(-0.25, 0.65, 101)
    ax.plot(b, variance(b), color=COLOURS["baseline"])
    marks = {"0": 0.0, "E[r]": E_r, "b*": best}
    for (label, at), shape in zip(marks.items(), "osD"):
        ax.plot(at, variance(at), shape, color=COLOURS["ink"], ms=6, label=label)
    ax.set(title=name, xlabel="b", ylim=(0, 11))
axes[0].set_ylabel("variance of one dart's estimate")
axes[0].legend()
plt.show()

# %% [markdown]
# **Figure.** The variance against $b$ for the three games, with 0, $\mathrm{E}[r]$ and
# $b^*$ marked. On the hill the mean lies near the bottom of the parabola. On the disc
# seen from afar all three are close. From the middle of the disc, the mean is far up on
# the right: worse than no baseline at all.
#
# Read the table row by row. On the hill $\mathrm{E}[r]$ is nearly as good as $b^*$.
# From afar, few darts hit the disc, and no $b$ saves much. In the middle of the disc 51 %
# of the darts hit, and the mean gives 59 % *more* variance than $b = 0$. The darts that
# hit lie near $\mu$, where the score is short. The far ones have long scores, dominate the
# noise and pay nothing. There, $b^*$ is 0.163, not 0.513.
#
# Is a learned baseline worth it, then? Look at the last lines of the table: pay one unit
# more for every dart, and without a baseline the variance on the hill is 44.0, which is 34
# times as much. The mean as a baseline protects you from a zero of the reward that you did
# not choose. It is not always the best $b$. (E. Greensmith, P. Bartlett, J. Baxter,
# [*Variance reduction techniques for gradient estimates in reinforcement
# learning*](https://jmlr.org/papers/v5/greensmith04a.html), JMLR 5, 2004, derive $b^*$ and
# more.)
#
# ## The baseline is learned
#
# $\mathrm{E}[r]$ is unknown and changes as the policy learns. So a network predicts it: $b$
# is fitted to the rewards by squared error, whose minimum is where we want it:
#
# $$\frac{\partial}{\partial b}\, \mathrm{E}\big[(b - r)^2\big] = 2\,(b - \mathrm{E}[r])$$
#
# This is 0 at $b = \mathrm{E}[r]$. In the agent, the baseline is a linear map of the memory:
# the expected reward, given all that the agent has seen. It may depend on everything
# *before* the dart is thrown, but not on the dart. And it is held fixed inside the policy's
# loss: differentiating the advantage $r - b$ through $b$ would change the baseline to lower
# the policy's loss, instead of predicting the reward.
#
# Another way needs no learning: throw several darts at the same image, and let each one's
# baseline be the mean reward of *the others* (`--baseline leave-one-out`).
#
# ## Up the hill, without a slope
#
# On the disc no derivative could help: it is flat, with a cliff. $\nabla r$ is 0 wherever it
# exists, but $\nabla J$ is not.


# %%
def disc(l):
    return (((l - PEAK) ** 2).sum(axis=-1) < RADIUS**2).astype(float)


def climb(reward, offset=0.0, with_baseline=True, steps=200, rate=0.05, runs=40):
    """REINFORCE in several runs at once, batches of 20 darts; return their paths."""
    rng = np.random.default_rng(0)
    mu = np.tile(MU, (runs, 1, 1))
    l = location_network.sample(np.tile(mu, (1, 20, 1)), STD, rng)
    b = (reward(l) + offset).mean(axis=1, keepdims=True)  # a first batch, for b alone
    ways, hits, surrogate = [mu], [], []
    for _ in range(steps):
        l = location_network.sample(np.tile(mu, (1, 20, 1)), STD, rng)
        R = reward(l) + offset
        advantage = R - b if with_baseline else R
        pull = advantage[..., None] * location_network.score(l, mu, STD)
        surrogate.append(-(advantage * location_network.log_pi(l, mu, STD)).mean())
        hits.append(reward(l).mean())
        mu = mu + rate * pull.mean(axis=1, keepdims=True)
        b = b + 0.2 * (R.mean(axis=1, keepdims=True) - b)  # a step down (b - R)²
        ways.append(mu)
    return np.concatenate(ways, axis=1), np.array(hits), np.array(surrogate)


settings = {
    "with a baseline": {},
    "without": {"with_baseline": False},
    "r + 1, with a baseline": {"offset": 1.0},
    "r + 1, without": {"offset": 1.0, "with_baseline": False},
}
climbs = {title: climb(disc, **setting) for title, setting in settings.items()}
for title, (ways, hits, _) in climbs.items():
    distance = np.sqrt(((ways[:, -50:] - PEAK) ** 2).sum(axis=-1)).mean(axis=1)
    hit = 100 * hits[-50:].mean()
    print(f"{title:23} {distance.mean():.2f} from the middle,", end=" ")
    print(f"the worst of 40 runs {distance.max():.2f}; {hit:.0f} % of the darts hit")

# %% figure
figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), sharey=True)
for ax, (title, (ways, _, _)) in zip(axes, climbs.items()):
    ax.contourf(axis, axis, disc(plane), levels=[0.5, 2], colors=[COLOURS["unseen"]])
    for way in ways[:10]:
        colour = COLOURS["policy" if "without" in title else "baseline"]
        ax.plot(*way.T, color=colour, lw=1, alpha=0.8)
        ax.plot(*way[-1], "o", color=COLOURS["ink"], ms=4)
    ax.set(title=title, aspect="equal", xlabel="$\\mu_x$", xticks=[-1, 0, 1])
axes[0].set(xlim=(-1, 1), ylim=(1, -1), ylabel="$\\mu_y$", yticks=[-1, 0, 1])
plt.show()

# %% [markdown]
# **Figure.** The path of $\mu$ over 200 batches of 20 darts, ten runs each, towards a disc on
# which the reward is 1; black dots are the ends. Three of the four settings bring every run to
# the middle of the disc. In the last, where every dart pays one unit more and nothing is
# subtracted, the runs wander.
#
# The printed numbers say the same of all 40 runs, averaged over the last 50 batches. With a
# baseline, the zero of the reward does not matter: the runs end 0.04 from the middle either
# way. Without one, it is 0.03 if a miss pays 0. This is a little better than with a baseline,
# as the table predicts for the middle of a disc. It is 0.22 if a miss pays 1.
#
# ## The surrogate's value means nothing
#
# Programs get this gradient by differentiating a surrogate loss, whose advantage is
# held fixed:
#
# $$Q(\mu) = -(r - b)\, \log \pi(l)$$
#
# Its *gradient* is what we want, with the minus that turns "reward up" into "loss down". Its
# *value* measures nothing. Count places in pixels, 30 to half a side, instead of half sides:
# the darts, the rewards and the steps are the same. But every $\log \pi$ is smaller by
# $2 \log 30$. Here is the surrogate of the climbs without a baseline, in both units:

# %%
print(f"2 log 30 = {2 * np.log(30):.1f}")
for title, offset in (("without", 0), ("r + 1, without", 1)):
    _, hits, surrogate = climbs[title]
    for name, part in (
        ("first ten batches", slice(10)),
        ("last ten", slice(-10, None)),
    ):
        hit, value = hits[part].mean(), surrogate[part].mean()
        in_pixels = value + (hit + offset) * 2 * np.log(30)
        print(f"{title:14} {name:17} {100 * hit:2.0f} % hit;", end=" ")
        print(f"surrogate {value:+.2f}, in pixels {in_pixels:+.2f}")

# %% [markdown]
# While the policy learns, the surrogate falls in half sides and rises in pixels. Whether the
# policy's loss goes up, down, or through zero, nothing follows from it. Watch the reward.
#
# ## A chain of choices
#
# The agent throws not one dart but several, and what it sees after each one decides on the
# next. One convention, used in all chapters and in the code:
#
# > $l_t$ is the location of glimpse $t = 1 \dots T$, and $r_t$ the reward after that
# > glimpse. $l_t$ is drawn from $\pi(l_t \mid h_{t-1})$, a Gaussian around $\mu_t$,
# > which is made of the memory $h_{t-1}$ of glimpses 1 to $t - 1$; so is the baseline
# > $b_t$. The first location is nobody's choice: $t = 2 \dots T$. In the arrays,
# > `mu[t]`, `baseline[t]` and `R[t]` belong to `locations[t + 1]`, for there are
# > $T - 1$ choices.
#
# $\theta$ stands for all parameters of the policy. Now step by step.
#
# **1. The probability of a trajectory** is a product. What the image shows at $l_t$ does not
# depend on $\theta$; these factors go into a constant:
#
# $$p(l_2, \dots, l_T) = \text{const} \cdot \prod_{t} \pi(l_t \mid h_{t-1})$$
#
# **2. Its score is a sum**, for the logarithm of a product is one, and the gradient of the
# constant is 0:
#
# $$\nabla \log p = \sum_{t} \nabla \log \pi(l_t \mid h_{t-1})$$
#
# **3. The score function** works for trajectories as for darts:
#
# $$\nabla J = \mathrm{E}\Big[ \sum_s r_s \cdot \sum_{t} \nabla \log \pi(l_t \mid h_{t-1}) \Big]$$
#
# **4. Rewards of the past drop out.** For $s < t$, $r_s$ is settled when $l_t$ is drawn. Take
# the expectation over $l_t$ first; given the past, $r_s$ is a number, and by the zero-mean
# lemma
#
# $$\mathrm{E}\big[ r_s\, \nabla \log \pi(l_t \mid h_{t-1}) \big]
#   = \mathrm{E}\big[ r_s \cdot 0 \big] = 0$$
#
# A baseline $b_t$ drops out for the same reason.
#
# **5. Reward to go.** So each choice is paid with the reward of its own glimpse and of all
# later ones:
#
# $$R_t = \sum_{s \ge t} r_s$$
#
# $$\nabla J = \mathrm{E}\Big[ \sum_t (R_t - b_t)\, \nabla \log \pi(l_t \mid h_{t-1})
#   \Big]$$
#
# To check all five without noise, take two choices on a line, where the second depends
# on the first: $l_1$ is drawn around $\theta_1$ and $l_2$ around
# $\theta_2 + \frac{1}{2} l_1$, each with a reward. (Both are chosen here, so $t = 1, 2$.)
# Quadrature over both darts, 40 × 40 nodes, gives each expectation to rounding; the
# complex step gives $\nabla J$ without any score.

# %%
theta, std = np.array([0.1, 0.3]), 0.4
xi_1, xi_2 = (xi.ravel() for xi in np.meshgrid(nodes_1, nodes_1))


def darts_and_rewards(theta):
    l_1 = theta[0] + std * xi_1
    l_2 = theta[1] + l_1 / 2 + std * xi_2
    r_1 = np.exp(-((l_1 - 0.6) ** 2))
    r_2 = np.exp(-2 * (l_2 - l_1 - 0.5) ** 2)
    return l_1, l_2, r_1, r_2


def J_chain(a):
    _, _, r_1, r_2 = darts_and_rewards(a["theta"])
    return mean(r_1 + r_2)


true = complex_step.derivatives(J_chain, {"theta": theta})["theta"]
l_1, l_2, r_1, r_2 = darts_and_rewards(theta)
score_1 = (l_1 - theta[0]) / std**2  # of log π(l_1), by theta_1
score_2 = (l_2 - theta[1] - l_1 / 2) / std**2  # of log π(l_2 | l_1), by theta_2
ways_to_pay = {
    "all rewards, step 3": (r_1 + r_2, r_1 + r_2),
    "reward to go, s >= t": (r_1 + r_2, r_2),
    "the same, discount 0.5": (r_1 + r_2 / 2, r_2),
    "only later ones, s > t": (r_2, 0 * r_2),
}
print(f"{'true gradient':24} {true[0]:+.4f} {true[1]:+.4f}")
for name, (R_1, R_2) in ways_to_pay.items():
    estimate = np.array([mean(R_1 * score_1), mean(R_2 * score_2)])
    noise = mean((R_1 * score_1) ** 2 + (R_2 * score_2) ** 2) - (estimate**2).sum()
    verdict = "right" if np.allclose(estimate, true, rtol=1e-11) else "wrong"
    print(f"{name:24} {estimate[0]:+.4f} {estimate[1]:+.4f} {verdict}", end=" ")
    print(f"variance {noise:5.2f}")
print(f"step 4, E[r_1 · score of l_2]: {abs(mean(r_1 * score_2)):.0e}")

# %% [markdown]
# The first two rows are the true gradient, and reward to go has less variance. A discount
# $\gamma$, here 0.5, weighs a reward $s - t$ steps later by $\gamma^{s-t}$: still less
# variance, but another goal and another gradient. The last row leaves out the reward of the
# very glimpse that was chosen, and is wrong in both coordinates. (A program makes this
# mistake if it numbers choices and glimpses differently. With a reward at the end only, as
# in the paper, all $R_t$ are equal, and the mistake has no effect until somebody adds a
# reward.)
#
# The package's `returns_to_go` computes all $R_t$ of a batch:

# %%
from ramnp.learning import reinforce

r = np.random.default_rng(4).standard_normal((6, 3))  # T = 6 rewards, three rows
R = reinforce.returns_to_go(r, 0.8)
worst = 0.0
for t in range(5):  # R[t] belongs to locations[t + 1], whose glimpse pays r[t + 1]
    expected = sum(0.8 ** (s - t - 1) * r[s] for s in range(t + 1, 6))
    worst = max(worst, np.abs(R[t] - expected).max())
print(f"six glimpses, five choices: R {R.shape}, {worst:.0e} from the sums")
assert worst < 1e-12

# %% [markdown]
# ## A sample keeps its own score
#
# A dart may land outside the image. Some programs move it to the border, or squash it by
# $\tanh$, and then take the score of the *moved* dart. But the moved dart was not drawn from
# the Gaussian, and its score does not average to 0. With $\sigma = 0.17$, for a $\mu$ near the
# border and one in the middle:

# %%
std = 0.17
for mu in (0.0, 0.9):
    l = np.linspace(mu - 9 * std, mu + 9 * std, 200_001)
    density = np.exp(-((l - mu) ** 2) / (2 * std**2))
    density /= density.sum()
    for name, scored in {
        "as drawn": l,
        "clipped to the image": np.clip(l, -1, 1),
        "squashed by tanh": np.tanh(l),
    }.items():
        bias = abs(density @ ((scored - mu) / std**2))
        print(f"µ = {mu}: mean score {name + ',':21} {bias:.2f} inwards")

# %% [markdown]
# As drawn, it is 0. Clipped or squashed, it is a pull towards the middle at every step,
# whatever the reward. A test with $\mu$ in the middle does not notice.
#
# Clipping only *what the sensor sees* is allowed. Then the reward is $r$ at the clipped
# place, one more function of the dart, and the score of the dart as drawn is right:


# %%
def paid_at(l):
    return np.exp(
        -((np.clip(l, -1, 1) - 0.7) ** 2) / 0.1
    )  # the sensor's view is clipped


def J_clipped(mu):
    density = np.exp(-((l - mu) ** 2) / (2 * std**2))
    return density @ paid_at(l) / density.sum()


by_difference = (J_clipped(mu + 1e-5) - J_clipped(mu - 1e-5)) / 2e-5
by_score = density @ (paid_at(l) * (l - mu) / std**2)  # at µ = 0.9
by_clipped_score = density @ (paid_at(l) * (np.clip(l, -1, 1) - mu) / std**2)
print(f"gradient of J {by_difference:.4f}, with the drawn dart's score {by_score:.4f},")
print(f"with the clipped dart's score {by_clipped_score:.4f}")
assert np.isclose(by_difference, by_score, rtol=1e-6)

# %% [markdown]
# In this package the sample stays as drawn, and a glimpse beyond the border sees background.
#
# > **In short.** $\nabla \mathrm{E}[r] = \mathrm{E}[(r - b)\, \nabla \log \pi]$: reward minus
# > baseline, times score. The score of a Gaussian is $(l - \mu)/\sigma^2$, of the sample as
# > drawn. $b$ changes the noise, never the mean. A choice is paid with the reward of its own
# > glimpse and of all later ones.
#
# ## In practice, and in the paper
#
# - The paper's location network is one linear map to $\mu_t$; $\sigma$ is fixed, and
#   its value is not given. The package's default is 0.15, in half image sides. The
#   score grows like $1/\sigma$ and its variance like $1/\sigma^2$: a small $\sigma$
#   aims well, but its gradient is noisy.
# - If $\sigma$ shrinks during training, steps of the same size $\times$ score grow like
#   $1/\sigma$. A factor $\sigma^2$ keeps them in proportion to $\sigma$.
# - Differentiating *through* the sample, $l = \mu + \sigma \xi$ with noise $\xi$, needs a
#   derivative of $r$. Here there is none.
# - The paper pays 1 for the right class at the end and averages over $M$ rollouts.
# - For rewards over long chains there are estimates with less noise: J. Schulman et al.,
#   [*High-dimensional continuous control using generalized advantage
#   estimation*](https://arxiv.org/abs/1506.02438), ICLR 2016.
# - The minus sign, from reward up to loss down, appears once: in `reinforce.py`.
#
# ## Exercises
#
# In `exercises/05_learn_without_derivatives.py`; `python -m pytest exercises -k 05`
# checks them.
#
# 1. *Half an hour.* The score by $\log \sigma$, with which a policy can learn how widely to
#    look. Predict first: what is its sign for a dart at $l = \mu$?
# 2. *An hour.* Estimate $b^*$ from a batch, leaving each sample out of its own.
# 3. *Two hours.* Climb a hill whose rewards have an offset that you don't know, with a
#    $\sigma$ that shrinks as you get there.
