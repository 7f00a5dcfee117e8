# %% [markdown]
# # 6. Assemble the agent
#
# [← 5. Learn without derivatives](05_learn_without_derivatives.ipynb) ·
# [Contents](README.md) ·
# [7. Train and watch →](07_train_and_watch.ipynb)
#
# You have five networks, each proved alone. Right parts can still be put together wrong,
# and the agent would learn something all the same. So this chapter assembles them, proves
# the whole at once, and then gives the agent a task that needs a policy: read a sign and
# look where it points. ([ram.py](ram.py) has the same agent in one file.)
#
# **What you'll do.** Put sensor, glimpse network, core, location, action and baseline
# network together; write the hybrid loss; prove every gradient of the whole at once;
# and train an agent, in seconds, on a task that cannot be solved without looking at the
# right place.
#
# **What you'll learn.** Why a gradient check has to replay what was sampled; which term of the
# loss teaches which network; what the loop of training consists of.
#
# **What you need.** Chapters 1 to 5. 30 minutes. **Running time.** 5 seconds.

# %%
import dataclasses
import math

import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, arrow, outline, show

from ramnp.agent import glimpse_sensor, location_network, model, parameters
from ramnp.learning import optimizers, reinforce
from ramnp.learning.config import Config
from ramnp.proofs import complex_step, gradient_paths, subjects
from ramnp.proofs.complex_step import flat, nested

rng = np.random.default_rng(6)

# %% [markdown]
# ## The whole forward pass
#
# For one image and locations $l_1 \dots l_T$, here is all of chapters 1 to 5 in a dozen lines:


# %%
def rect(z):
    return np.maximum(z, 0)


def look(p, image, locations, config):
    """Logits, means of the policy and baselines of one image, after each glimpse."""
    pyramid = glimpse_sensor.prepare(image[None], config.patch_size, config.num_scales)
    h = np.zeros(config.h_size)
    logits, mu, baseline = [], [], []
    for l in locations:
        rho = glimpse_sensor.forward(pyramid, l[None])[0]
        hg = rect(rho @ p["glimpse.W_hg"] + p["glimpse.b_hg"])
        hl = rect(l @ p["glimpse.W_hl"] + p["glimpse.b_hl"])
        pair = np.concatenate([hg, hl])
        g = rect(pair @ p["glimpse.W_g"] + p["glimpse.b_g"])
        h = rect(h @ p["core.W_h"] + g @ p["core.W_g"] + p["core.b_h"])
        logits.append(h @ p["action.W_a"] + p["action.b_a"])
        mu.append(h @ p["location.W_mu"] + p["location.b_mu"])
        baseline.append((h @ p["baseline.W_b"] + p["baseline.b_b"])[0])
    return np.array(logits), np.array(mu), np.array(baseline)


config = Config(
    num_glimpses=4,
    patch_size=3,
    num_scales=2,
    num_classes=5,
    hg_size=6,
    hl_size=7,
    g_size=8,
    h_size=9,
    location_std=0.2,
    policy_into_core=True,
    baseline_into_core=True,
)
B, T = 3, config.num_glimpses
agent = flat(model.init(rng, config, np.float64))
agent = {name: rng.standard_normal(a.shape) / 2 for name, a in agent.items()}
images, labels = rng.random((B, 11, 12)), np.array([3, 0, 4])

drawn = model.rollout(nested(agent), images, rng, config)
apart = 0.0
for n in range(B):
    logits, mu, baseline = look(agent, images[n], drawn.locations[:, n], config)
    for theirs, ours in (
        (drawn.logits, logits),
        (drawn.mu, mu[:-1]),  # there is no choice after the last glimpse
        (drawn.baseline, baseline[:-1]),
    ):
        apart = max(apart, np.abs(theirs[:, n] - ours).max())
print("locations", drawn.locations.shape, "means", drawn.mu.shape)
print(f"largest difference from the package: {apart:.0e}")
assert apart < 1e-12

# %% [markdown]
# Count the agent's parameters. Weights that are forgotten, or made anew at each step, change
# the number. Let $\#h$ be the number of entries of a vector $h$, and $C$ the number of
# classes:
#
# - glimpse network: $(\#\rho + 1)\, \#h_g + 3\, \#h_l$ for its two hidden layers, and
#   $(\#h_g + \#h_l + 1)\, \#g$;
# - core: $(\#h + \#g + 1)\, \#h$;
# - location network: $2\, (\#h + 1)$;
# - action network: $C\, (\#h + 1)$;
# - baseline network: $\#h + 1$.

# %%
rho_size = config.num_scales * config.patch_size**2
hg, hl, g, h, C = 6, 7, 8, 9, config.num_classes
count = (rho_size + 1) * hg + 3 * hl + (hg + hl + 1) * g
count += (h + g + 1) * h + 2 * (h + 1) + C * (h + 1) + (h + 1)
assert (
    count
    == sum(a.size for a in agent.values())
    == parameters.size(model.shapes(config))
)
paper_size = parameters.size(model.shapes(Config()))
print(f"{count} parameters here, {paper_size:,} with the paper's sizes")

# %% [markdown]
# ## The hybrid loss
#
# The paper trains with several gradients at once. Cross-entropy teaches what to make of what
# was seen; REINFORCE teaches where to look; a squared error fits the baseline. As one loss,
# per image:
#
# $$L = L_{\text{class}} + L_{\text{policy}} + L_{\text{baseline}}$$
#
# $$L_{\text{class}} = -\log p_{T,\,\text{label}}$$
#
# $$L_{\text{policy}} = - \sum_{t=2}^{T} (R_t - b_t)\, \log \pi(l_t)$$
#
# $$L_{\text{baseline}} = \sum_{t=2}^{T} (b_t - R_t)^2$$
#
# In the policy's term, $R_t - b_t$ is held fixed. As in chapter 5, $l_t$ is the location of
# glimpse $t$, drawn around $\mu_t$, and $R_t$ is the reward of this glimpse and all later
# ones: 1 if the class after the last one is right, else 0. The minus makes the policy's
# *gradient* point down, like the others; the term's value says nothing about how good the
# policy is. Sum over time, mean over images. In the arrays, `mu[t]`, `baseline[t]` and
# `R[t]` belong to `locations[t + 1]`.


# %%
def hybrid_loss(p, images, labels, locations, R, advantage, config):
    """The three terms, in loops over images and time."""
    cross_entropy = policy = squared = 0.0
    var = config.location_std**2
    for n in range(len(images)):
        logits, mu, b = look(p, images[n], locations[:, n], config)
        last = logits[-1]
        cross_entropy += math.log(sum(math.exp(z) for z in last)) - last[labels[n]]
        for t in range(len(R)):
            miss = locations[t + 1, n] - mu[t]
            log_pi = -(miss @ miss) / (2 * var) - math.log(2 * math.pi * var)
            policy -= advantage[t, n] * log_pi
            squared += (b[t] - R[t, n]) ** 2
    return np.array([cross_entropy, policy, squared]) / len(images)


reward = reinforce.rewards(drawn.logits, labels, "final")
R = reinforce.returns_to_go(reward, discount=1.0)
right = drawn.logits[-1].argmax(axis=1) == labels
assert (R == right).all() and R.shape == (T - 1, B)  # one 0 or 1 for all choices

R = rng.standard_normal((T - 1, B))  # for the checks, any numbers: nothing may cancel
advantage = reinforce.advantages(R, drawn.baseline, "learned", 1)
assert (advantage == R - drawn.baseline).all()
losses, cache = reinforce.hybrid_loss_forward(
    drawn, labels, R, advantage, config, config.location_std
)
slow = hybrid_loss(agent, images, labels, drawn.locations, R, advantage, config)
assert np.allclose([*losses], slow, rtol=1e-10)
for name, theirs, ours in zip(losses._fields, losses, slow):
    print(f"{name:13} {theirs:+.6f}, in loops {ours:+.6f}")

# %% [markdown]
# ## Its derivative
#
# These are the derivatives by the outputs of the networks, with $\frac{1}{B}$ for the mean
# over images. From there on, the networks' own backward passes take over.
#
# $$\mathrm{d}z_T = \tfrac{1}{B} (p_T - \text{onehot})$$
#
# $$\mathrm{d}\mu_t = -\tfrac{1}{B} (R_t - b_t) \frac{l_t - \mu_t}{\sigma^2}$$
#
# $$\mathrm{d}b_t = \tfrac{2}{B} (b_t - R_t)$$

# %%
dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
p_T = np.exp(drawn.logits[-1])
p_T /= p_T.sum(axis=1, keepdims=True)
miss = drawn.locations[1:] - drawn.mu
for name, theirs, ours in (
    ("dlogits[-1]", dlogits[-1], (p_T - np.eye(5)[labels]) / B),
    ("dlogits[:-1]", dlogits[:-1], 0.0),
    ("dmu", dmu, -advantage[..., None] * miss / config.location_std**2 / B),
    ("dbaseline", dbaseline, 2 * (drawn.baseline - R) / B),
):
    print(f"{name:12} {np.abs(theirs - ours).max():.0e} apart")
    assert np.allclose(theirs, ours, rtol=1e-12, atol=1e-15)

# %% [markdown]
# ## Replay, do not re-draw
#
# To check the gradient we change a weight a little and compute $L$ again. But with *which*
# glimpses?
#
# - *New samples:* noise, far larger than the change.
# - *The same random numbers* $\xi$, so that $l = \mu + \sigma\xi$ moves along with $\mu$.
#   Then $l - \mu = \sigma\xi$ stays as it was, $\log \pi$ does not change at all, and its
#   derivative is exactly 0. The location network would seem to have nothing to learn.
# - *The same locations,* with returns and advantages held too. The formula
#   $(R_t - b_t)\, \nabla \log \pi(l_t)$ says just this: $l_t$ has happened and is a
#   constant. REINFORCE is the exact gradient of this frozen loss.
#
# So the model has two entries: `rollout` draws locations, `replay` takes them.

# %%
mu, noise = np.array([0.3, -0.2]), np.array([0.5, 1.5])
l = mu + 0.2 * noise


def with_frozen_noise(a):
    return location_network.log_pi(a["mu"] + 0.2 * noise, a["mu"], 0.2)


def with_frozen_location(a):
    return location_network.log_pi(l, a["mu"], 0.2)


moving = complex_step.derivatives(with_frozen_noise, {"mu": mu})["mu"]
held = complex_step.derivatives(with_frozen_location, {"mu": mu})["mu"]
print(
    "score with the noise frozen:", moving, "with the location frozen:", held.round(1)
)
assert np.allclose(held, noise / 0.2)

# %% [markdown]
# ## Every gradient at once
#
# Now check everything against the complex step: all parameters, the whole hybrid loss,
# backpropagation through time and all parts. (For this one check all paths are open: the
# policy's and the baseline's gradients also go into the core.)


# %%
def total(a):
    again = model.replay(nested(a), images, drawn.locations, config)
    losses, _ = reinforce.hybrid_loss_forward(
        again, labels, R, advantage, config, config.location_std
    )
    return losses.total


by_hand = flat(model.backward(dlogits, dmu, dbaseline, drawn, config))
exact = complex_step.derivatives(total, agent)
errors = complex_step.worst_errors(by_hand, exact)
assert complex_step.failures(by_hand, exact) == {}
worst = max(tensor for tensor, _ in errors.values())
total_size = sum(a.size for a in exact.values())
print(f"{total_size} derivatives agree; worst tensor {worst:.0e}")

wrong = {name: array * 1.001 for name, array in by_hand.items()}
caught = complex_step.failures(wrong, exact).keys()
print(f"times 1.001: caught in {len(caught)} of {len(exact)} tensors")

# %% [markdown]
# ## Who teaches whom
#
# In the paper's form, core and glimpse network learn from the cross-entropy alone; the
# location network "is always trained with REINFORCE"; the baseline learns from its own
# error. All other gradients must be exactly 0. Here is the largest gradient that each term
# of the loss gives each network, measured.

# %%
paper = dataclasses.replace(config, policy_into_core=False, baseline_into_core=False)
opened = {"the paper's form": paper, "both paths into the core": config}
terms = {"cross_entropy": "action", "policy": "policy", "baseline": "baseline"}
largest = {}
for title, setting in opened.items():
    setting = dataclasses.replace(setting, num_classes=10)
    episode = subjects.episode(np.random.default_rng(0), setting)
    for term in terms:
        gradients = gradient_paths.term_gradients(term, episode, setting)
        for network in gradient_paths.NETWORKS:
            size = max(np.abs(a).max() for a in gradients[network].values())
            assert (size > 0) == (network in gradient_paths.allowed(term, setting))
            largest[title, term, network] = size

# %% figure
figure, axes = plt.subplots(1, 2, figsize=(11, 2.6), sharey=True)
for ax, title in zip(axes, opened):
    for row, (term, colour) in enumerate(terms.items()):
        for column, network in enumerate(gradient_paths.NETWORKS):
            size = largest[title, term, network]
            face = COLOURS[colour] if size else COLOURS["unseen"]
            ax.add_patch(plt.Rectangle((column, row), 0.94, 0.9, fc=face, alpha=0.75))
            text = f"{size:.2g}" if size else "0"
            ax.text(column + 0.47, row + 0.45, text, ha="center", va="center")
    ax.set(xlim=(0, 5), ylim=(3, -0.05), title=title)
    ax.set_xticks(np.arange(5) + 0.47, gradient_paths.NETWORKS)
    ax.set_yticks(np.arange(3) + 0.45, ["cross-entropy", "policy", "baseline"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# **Figure.** Rows: the terms of the loss. Columns: the networks. Each field holds the
# largest gradient that the term gives to the network; a grey 0 is exactly 0.0. Left,
# the paper's form: cross-entropy reaches glimpse, core and action network, the policy
# term the location network alone, the baseline's error the baseline network alone.
# Right, with both options on, the two lower terms reach glimpse and core as well, and
# the action network still gets nothing from them.
#
# ## A task that needs eyes: follow the sign
#
# A scene has 24 × 24 pixels. On the left is a bar, lying or upright, and on the right
# another. A dot in the middle, a little to the left or to the right, is the sign: it says
# which bar counts. Is that bar upright? The retina sees 8 × 8 pixels, enough for the sign or
# for one bar. The first glimpse falls on the middle. The agent chooses where the second one
# goes.


# %%
def make_scenes(rng, count):
    """Draw scenes (count, 24, 24), labels (1: upright) and sides (1: right)."""
    scenes = np.zeros((count, 24, 24), np.float32)
    upright = rng.integers(2, size=(count, 2))
    side = rng.integers(2, size=count)
    for place, left in enumerate((1, 17)):
        standing = upright[:, place] == 1
        scenes[standing, 9:15, left + 2 : left + 4] = 1
        scenes[~standing, 11:13, left : left + 6] = 1
        scenes[side == place, 11:13, 10 + 2 * place : 12 + 2 * place] = 1
    return scenes, upright[np.arange(count), side], side


# %% figure
scenes, labels, sides = make_scenes(np.random.default_rng(22), 5)
figure, axes = plt.subplots(1, 5, figsize=(10, 2.3))
for ax, scene, label, side in zip(axes, scenes, labels, sides):
    answer = "upright" if label else "lying"
    show(ax, scene, f"{'right' if side else 'left'}: {answer}")
    outline(ax, (8, 8, 16, 16), COLOURS["what"])
plt.show()

# %% [markdown]
# **Figure.** Five scenes with the side that the sign names and the right answer. The frame is
# the first glimpse: it shows the sign, and nothing of the bars. Without a good second look,
# half of the answers are wrong.
#
# ## The loop
#
# All of training: draw a batch, look, compute the reward, go back, take a step. Only Adam is
# new since chapters 1 to 5: it divides each parameter's step by the size of its recent
# gradients. $\sigma$ shrinks from 0.5, to find the bars at all, to 0.1, to look at them well.


# %%
def train(seed, steps=300, **changes):
    """Return how often it was right in each batch, its parameters and settings."""
    settings = {
        "num_glimpses": 2,
        "first_glimpse": "center",
        "patch_size": 8,
        "num_classes": 2,
        "hg_size": 24,
        "hl_size": 16,
        "g_size": 32,
        "h_size": 32,
        "policy_weight": 0.3,
    }
    config = Config(**settings | changes)
    rng = np.random.default_rng(seed)
    vector, params = parameters.flatten(model.init(rng, config))
    state = optimizers.init_state("adam", vector)
    gradient = np.empty_like(vector)
    into = parameters.views(gradient, parameters.shapes(params))
    right = []
    for step in range(1, steps + 1):
        std = 0.5 * (0.1 / 0.5) ** (step / steps)
        images, labels, _ = make_scenes(rng, 64)
        trajectory = model.rollout(params, images, rng, config, std)
        reward = reinforce.rewards(trajectory.logits, labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(R, trajectory.baseline, config.baseline, 1)
        _, cache = reinforce.hybrid_loss_forward(
            trajectory, labels, R, advantage, config, std
        )
        upstream = reinforce.hybrid_loss_backward(cache)
        grads = model.backward(*upstream, trajectory, config)
        parameters.copy_into(into, grads)  # by name: grads have an order of their own
        optimizers.adam_step(vector, gradient, state, 3e-3, 0.9, step)
        right.append(R[0].mean())
    return np.array(right), params, config


def test_error(params, config):
    """In percent of 2,000 new scenes, each look at the policy's mean."""
    images, labels, _ = make_scenes(np.random.default_rng(7), 2000)
    seen = model.rollout(params, images, None, config)
    return 100 * np.mean(seen.logits[-1].argmax(axis=1) != labels)


runs = {
    "as above": [train(seed) for seed in (0, 1)],
    "no policy gradient": [train(seed, policy_weight=0.0) for seed in (0, 1)],
}
errors = {
    name: [test_error(params, config) for _, params, config in found]
    for name, found in runs.items()
}
for name, found in errors.items():
    print(f"{name}: test errors", ", ".join(f"{e:.2f} %" for e in found))

# %% figure
figure, ax = plt.subplots(figsize=(7.5, 3.2))
for (name, found), colour in zip(runs.items(), ("policy", "muted")):
    for i, (right, _, _) in enumerate(found):
        smooth = right.reshape(-1, 10).mean(axis=1)
        label = name if i == 0 else None
        ax.plot(np.arange(5, 300, 10), 100 * smooth, color=COLOURS[colour], label=label)
ax.axhline(50, color=COLOURS["unseen"], lw=1, zorder=0)
ax.set(xlabel="step (64 scenes each)", ylabel="right (%)", ylim=(40, 102))
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# **Figure.** The share of right answers during training, two runs for each setting. As
# above, it rises from guessing to nearly always right as $\sigma$ shrinks. Without the
# policy's gradient the second looks do not follow the sign: the agent learns what a bar is
# from those that hit one, but has to guess whenever a look shows no bar or the wrong one.
#
# After 300 steps, no test scene goes wrong. Without the policy's gradient about half do, as
# by tossing a coin. The gradient you derived taught the agent to read a sign and follow it,
# from no more than "right" and "wrong".

# %%
_, params, settings = runs["as above"][0]
scenes, labels, sides = make_scenes(np.random.default_rng(15), 2000)
seen = model.rollout(params, scenes, None, settings)
went_right = seen.locations[1, :, 0] > 0
followed = 100 * np.mean(went_right == sides)
print(f"{followed:.1f} % of the second looks go to the sign's side")

# %% figure
figure, axes = plt.subplots(1, 5, figsize=(10, 2.3))
for n, ax in enumerate(axes):
    answer = "upright" if seen.logits[-1, n].argmax() else "lying"
    show(ax, scenes[n], f"answer: {answer}")
    edges = glimpse_sensor.windows(seen.locations[:, n], (24, 24), 8)[:, 0]
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    outline(ax, edges[0], COLOURS["what"])
    outline(ax, edges[1], COLOURS["where"])
    arrow(ax, centres[0], centres[1], COLOURS["policy"], 2)
    ax.set(xlim=(-1, 25), ylim=(25, -1))
plt.show()

# %% [markdown]
# **Figure.** Five new scenes, the trained agent's first glimpse in the middle, its
# second at the end of the arrow. Each time it goes to the side that the dot is on.
#
# > **In short.** Three terms, one gradient: cross-entropy teaches what to make of a
# > glimpse, REINFORCE where to take it, a squared error what to expect. A check must
# > replay the locations, or the policy seems to have nothing to learn. Gradients that must
# > be 0 are exactly 0.
#
# ## In practice, and in the paper
#
# - [ram.py](ram.py) is this agent and this task once more, in one file of 150 lines
#   with NumPy alone, and MNIST as well: read it, change it, teach from it. A test compares
#   its gradients with the package's.
# - The paper's optimiser is SGD with momentum 0.9, batches of 20, the step size falling
#   to 0 over the run. The loop above uses Adam with a constant step size, to be short.
# - MNIST has no signs. A digit's own strokes tell where to look next, and a good place is
#   less clear-cut.
# - REINFORCE climbs to the nearest hilltop, which need not be the highest.
# - Two dictionaries with the same names may hold them in another order. `copy_into`
#   goes by name: gradients laid out in another order would reach the wrong weights.
# - `rollout(..., rng=None)` looks at the policy's mean each time. The package evaluates in
#   this way too, besides drawing looks as in training.
#
# ## Exercises
#
# In `exercises/06_assemble_the_agent.py`; `python -m pytest exercises -k 06` checks them.
#
# 1. *Half an hour.* The gradient of a batch from its two halves. Predict first: when is it
#    not the mean of the two?
# 2. *Two hours.* `rollout` for one image in plain NumPy, drawing each location.
# 3. *A day.* The gradient of the hybrid loss for one image, from the formulas that you
#    derived. Then close the tutorials and write it again.
