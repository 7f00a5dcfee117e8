# %% [markdown]
# # 7. Train and watch
#
# [← 6. Assemble the agent](06_assemble_the_agent.ipynb) ·
# [Contents](README.md) ·
# [8. Find it in the clutter →](08_find_it_in_the_clutter.ipynb)
#
# The gradients are right; will the agent learn? Here you train it on real digits, and watch
# where it looks. Then you take it apart, because a low error proves little: an agent that
# never learns where to look reads digits, too.
#
# **What you'll do.** Write a step of training by hand, to the last rounding. Train the
# agent on real digits, and watch where it looks. Then take it apart: without the baseline,
# without the policy, without the second glimpse.
#
# **What you'll learn.** What a training run consists of besides gradients: schedules
# and averages; how to read its curves; how an error falls from glimpse to glimpse; and
# how many runs it takes before you may say that one setting is better than another.
#
# **What you need.** Chapters 1 to 6. 30 minutes. **Running time.** 30 seconds.

# %%
import json
import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from common import ADAM, COLOURS, DIGITS, HERE, Film, outline, show

from ramnp.agent import glimpse_sensor, model, parameters
from ramnp.datasets import mnist, scenes
from ramnp.figures import film
from ramnp.learning import evaluation, state
from ramnp.learning.config import Config
from ramnp.learning.recipes import make_config
from ramnp.learning.trainer import Trainer

# %% [markdown]
# ## Seven thousand digits
#
# MNIST has 70,000 digits. A tenth of them comes with this page, in a form in which you can
# bring your own: an `.npz` with `images` and `labels`. It is cut in order: 5/7 for training,
# 1/7 for validation during training, and 1/7 for the test, used once, at the end. In this
# file the test digits are the first thousand of MNIST's own test digits.
# (`python -m ramnp.train --data tutorials/digits.npz` trains on the same.)

# %%
digits = mnist.load(DIGITS)
for name in ("train", "valid", "test"):
    print(f"{name}: {len(getattr(digits, name).labels):,} digits")
print("training digits of each class:", np.bincount(digits.train.labels))

# %% [markdown]
# ## The agent
#
# The agent takes six glimpses of 8 × 8 pixels, the first at a random place. $h_g$ has the
# paper's 128 units; all other layers have half as many as the paper's, to be quick. The
# reward is the paper's: 1 if the class after the last glimpse is right. In addition to
# chapter 6, the agent has what the recipes of `ramnp.train` have: it names a class after *every*
# glimpse; the location network has a hidden layer and a $\tanh$; the policy's gradient,
# weighted by $\lambda = 0.1$, also reaches the core. The loss of one image is
# $L = L_{\text{class}} + \lambda L_{\text{policy}} + L_{\text{baseline}}$ with the terms
# of chapter 6, where now
#
# $$L_{\text{class}} = -\sum_{t=1}^{T} \log p_{t,\,\text{label}}$$

# %%
SMALL = {
    "reward": "final",
    "discount": 1.0,
    "hg_size": 128,
    "hl_size": 64,
    "g_size": 128,
    "h_size": 128,
    "locator_hidden_size": 64,
    "batch_size": 64,
    "num_shards": 1,
    "epochs": 16,
} | ADAM
config = make_config("centered", "quick", **SMALL)
paper = Config()
for name in ("hg_size", "hl_size", "g_size", "h_size"):
    print(f"{name}: {getattr(config, name)}, in the paper {getattr(paper, name)}")
sizes = (parameters.size(model.shapes(c)) for c in (config, paper))
print("{:,} parameters, in the paper's form {:,}".format(*sizes))
print(f"weight of the policy's loss: {config.policy_weight}")

# %% [markdown]
# ## One step, by hand
#
# Each step takes 64 digits. Two settings change during training. Let *done* be the share of
# all steps that are done. The step size $\eta$ falls along half a cosine, from
# $\eta_{\text{first}}$ to $\eta_{\text{last}}$: long steps to make progress, short ones to
# settle. The policy's $\sigma$ shrinks by the same factor each step: explore first, aim
# later.
#
# $$\text{share} = \tfrac{1}{2} \big(1 + \cos(180° \cdot \text{done})\big)$$
#
# $$\eta = \eta_{\text{last}} + (\eta_{\text{first}} - \eta_{\text{last}}) \cdot \text{share}$$
#
# $$\sigma = \sigma_{\text{first}}^{\,1 - \text{done}}\, \sigma_{\text{last}}^{\,\text{done}}$$


# %%
def schedule(done, config):
    """Step size and σ when this share of all steps is done."""
    share = (1 + math.cos(math.radians(180 * done))) / 2
    last = config.learning_rate * config.final_rate
    rate = last + (config.learning_rate - last) * share
    std = config.location_std ** (1 - done) * config.final_location_std**done
    return rate, std


pool = ThreadPoolExecutor(1)
theirs = state.initial(config, len(digits.train.labels))
trainer = Trainer(config, digits.train, theirs)
steps_per_epoch = math.ceil(5000 / config.batch_size)
all_steps = config.epochs * steps_per_epoch
assert steps_per_epoch == trainer.steps_per_epoch
for theirs.step in range(0, all_steps, 50):
    rate, std = schedule(theirs.step / all_steps, config)
    assert math.isclose(rate, trainer.learning_rate, rel_tol=1e-12)
    assert math.isclose(std, trainer.location_std, rel_tol=1e-12)
theirs.step = 0
print(f"{steps_per_epoch} steps an epoch, {all_steps:,} in all")
for done in (0, 0.5, 1):
    print("done {}: step size {:.5f}, σ {:.3f}".format(done, *schedule(done, config)))

# %% [markdown]
# Then: look, compute the reward, and go back. The derivatives by the networks' outputs are
# those of chapter 6, with a class at every $t$ and the weight $\lambda$:
#
# $$\mathrm{d}z_t = \tfrac{1}{B} (p_t - \text{onehot})$$
#
# $$\mathrm{d}\mu_t = -\tfrac{\lambda}{B} (R_t - b_t) \frac{l_t - \mu_t}{\sigma^2}$$
#
# $$\mathrm{d}b_t = \tfrac{2}{B} (b_t - R_t)$$
#
# From there on, chapters 2 to 6 have proved the way back. The last part of a step is Adam:
# $m$ is a running mean of the gradient $\nabla L$, $v$ one of its square, and the weights
# $w$ move along $m / \sqrt{v}$, after a correction for the start of both at 0. A running
# average $\bar w$ of the weights comes with it:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, \nabla L$$
#
# $$v \leftarrow \beta_2 v + (1 - \beta_2)\, (\nabla L)^2$$
#
# $$w \leftarrow w - \eta\, \frac{m / (1 - \beta_1^{\text{step}})}
#   {\sqrt{v / (1 - \beta_2^{\text{step}})} + 10^{-8}}$$
#
# $$\bar w \leftarrow \beta_w \bar w + (1 - \beta_w)\, w$$
#
# The decay $\beta_w$ is $\text{step} / (\text{step} + 10)$, until it reaches a fixed value:
# it starts small, to forget the first weights soon. $w$ changes noisily with every batch.
# $\bar w$ does not, and it is $\bar w$ that is tested and kept.


# %%
class ByHand:
    """The same run as the package's, written out."""

    def __init__(self, config, split):
        self.config, self.split = config, split
        start = state.initial(config, len(split.labels))
        self.order, self.rng = start.order, start.streams["policy"][0]
        self.w = start.vector.copy()
        self.m, self.v = np.zeros_like(self.w), np.zeros_like(self.w)
        self.average = self.w.copy()
        template = model.init(np.random.default_rng(0), config)
        self.shapes = parameters.shapes(template)
        self.steps = 0

    def step(self):
        config = self.config
        index = self.order[self.steps * config.batch_size :][: config.batch_size]
        images = self.split.images[index] * np.float32(1 / 255)
        labels = self.split.labels[index]
        rate, std = schedule(self.steps / all_steps, config)
        params = parameters.views(self.w, self.shapes)
        seen = model.rollout(params, images, self.rng, config, std)

        B, T = len(index), config.num_glimpses
        R = np.zeros((T - 1, B), np.float32)
        for n in range(B):
            R[:, n] = seen.logits[-1, n].argmax() == labels[n]
        p = np.exp(seen.logits)
        p /= p.sum(axis=-1, keepdims=True)
        dlogits = (p - np.eye(10, dtype=np.float32)[labels]) / B
        weight = config.policy_weight * (R - seen.baseline)
        miss = seen.locations[1:] - seen.mu
        dmu = -weight[..., None] * miss / std**2 / B
        dbaseline = 2 * (seen.baseline - R) / B

        grads = model.backward(dlogits, dmu, dbaseline, seen, config)
        self.dw = np.empty_like(self.w)
        parameters.copy_into(parameters.views(self.dw, self.shapes), grads)
        self.steps += 1
        self.m = 0.9 * self.m + 0.1 * self.dw
        self.v = 0.999 * self.v + 0.001 * self.dw**2
        m_hat = self.m / (1 - 0.9**self.steps)
        v_hat = self.v / (1 - 0.999**self.steps)
        self.w = self.w - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
        decay = min(config.average_decay, self.steps / (self.steps + 10))
        self.average = decay * self.average + (1 - decay) * self.w


assert config.optimizer == "adam" and config.momentum == 0.9
ours = ByHand(config, digits.train)
for _ in range(5):
    ours.w = theirs.vector.copy()  # or roundings would add up from step to step
    ours.step()
    trainer.step()
    dw = trainer.gradients[0]
    apart = np.abs(ours.dw - dw).max() / np.abs(dw).max()
    close = np.mean(np.abs(ours.w - theirs.vector) < 1e-6)
    print(f"gradients {apart:.0e} apart;", end=" ")
    print(f"{100 * close:.2f} % of the weights within 1e-6")
    assert apart < 1e-5 and close > 0.999
    assert np.mean(np.abs(ours.average - theirs.average) < 1e-6) > 0.999

# %% [markdown]
# The gradients agree to the rounding of float32, and the weights with them. (Not every
# weight must: where $\nabla L$ is nearly 0, $m / \sqrt{v}$ divides one rounding error by
# another.)
#
# ## Train
#
# A run repeats this step, with a new order of the digits in each epoch and a validation at
# the end of each.


# %%
def train(**changes):
    """Return a trained agent and a row of metrics for each epoch."""
    config = make_config("centered", "quick", **SMALL | changes)
    now = state.initial(config, len(digits.train.labels))
    trainer = Trainer(config, digits.train, now)
    while now.epoch < config.epochs:
        while now.position < trainer.steps_per_epoch:
            trainer.step()
        wrong = evaluation.count_errors(trainer.agent, digits.valid, "valid", pool)
        trainer.end_epoch(wrong)
    return trainer.agent, now.history


agent, history = train()
curve = {name: np.array([row[name] for row in history]) for name in history[0]}
first, last = curve["valid_error"][[0, -1]]
print(f"validation error: {first:.1f} % after an epoch, {last:.1f} % after the last")
print(f"training error in the last epoch: {curve['train_error'][-1]:.1f} %")

# %%
epochs = np.arange(1, 17)
share_wrong = curve["train_error"] / 100
of_constant = share_wrong * (1 - share_wrong)
of_baseline = curve["baseline_loss"] / (config.num_glimpses - 1)
ratio = of_baseline[4:] / of_constant[4:]
print("baseline's error from epoch 5 on, in units of the best constant's:", end=" ")
print(f"{ratio.min():.2f} to {ratio.max():.2f}")

# %% figure
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2))
for name, colour in (("train_error", "muted"), ("valid_error", "action")):
    label = {"train_error": "training", "valid_error": "validation"}[name]
    axes[0].plot(epochs, curve[name], "o-", ms=3, color=COLOURS[colour], label=label)
axes[0].set(title="error (%)", ylim=(0, None))
axes[1].plot(epochs, of_constant, "--", color=COLOURS["ink"], label="best constant")
axes[1].plot(epochs, of_baseline, color=COLOURS["baseline"], label="baseline $b_t$")
axes[1].set(title="mean of $(b - R)^2$", ylim=(0, None))
steps = np.arange(0, all_steps + 1, 10)
rates, stds = np.transpose([schedule(s / all_steps, config) for s in steps])
progress = steps / steps_per_epoch
axes[2].plot(progress, rates / rates[0], color=COLOURS["core"], label="step size")
axes[2].plot(progress, stds / stds[0], color=COLOURS["policy"], label="$\\sigma$")
axes[2].set(title="of the value at the start", ylim=(0, 1.05))
for ax in axes:
    ax.set(xlabel="epoch", xticks=[0, 4, 8, 12, 16])
    ax.legend()
plt.show()

# %% [markdown]
# **Figure.** A run of 16 epochs. Left, the error on training and validation digits. Most of
# the gain comes in the first few epochs. In the end the training error is below the
# validation error: with 5,000 digits, the agent overfits a little. Middle, the baseline's
# squared error and, dashed, that of the best constant. Right, the two schedules.
#
# What does the baseline know? The best constant leaves the variance of $R$. For a reward
# that is 1 with probability $1 - e$, this is $e\,(1 - e)$, where $e$ is the training error.
# The two curves in the middle coincide: our baseline has learned how often the agent is
# right, but not on which digits. It is one linear map of an $h_t$ that is trained for other
# purposes. It protects from the reward's zero, as in chapter 5, and does no more.


# %% [markdown]
# ## Watch
#
# What does it look at? All that a glimpse shows is 8 × 8 pixels. We take three test digits:
# the first that is wrong after the first glimpse and right from the third on, the first that
# is right only after the sixth, and the first that is wrong in the end.

# %%
images = digits.test.images[:250] / np.float32(255)
labels = digits.test.labels[:250].astype(int)
seen = agent.predict(images)
right = seen.step_probabilities.argmax(axis=2) == labels[:, None]
soon = np.flatnonzero(right[:, 2:].all(axis=1) & ~right[:, 0])[0]
late = np.flatnonzero(right[:, 5] & ~right[:, 4])[0]
never = np.flatnonzero(~right[:, 5])[0]

# %% figure
figure, axes = plt.subplots(3, 7, figsize=(11, 5.9), width_ratios=[1.5, *6 * [1]])
for row, n in zip(axes, (soon, late, never)):
    locations = seen.locations[n]
    edges = glimpse_sensor.windows(locations, (28, 28), 8)[:, 0]
    pyramid = glimpse_sensor.prepare(images[n : n + 1], 8)
    show(row[0], images[n], f"a {labels[n]}")
    row[0].set(xlim=(-4, 32), ylim=(32, -4), facecolor=COLOURS["unseen"])
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    row[0].plot(*centres.T, "o-", color=COLOURS["policy"], lw=1.2, ms=8)
    for t in range(6):
        outline(row[0], edges[t], COLOURS["where"], 0.9)
        style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 6.5}
        row[0].text(*centres[t], t + 1, color="white", **style)
        rho = glimpse_sensor.forward(pyramid, locations[t : t + 1])
        p = seen.step_probabilities[n, t]
        title = f"{t + 1}: {p.argmax()}, {100 * p.max():.0f} %"
        show(row[1 + t], rho.reshape(8, 8), title)
        outline(row[1 + t], (0, 0, 8, 8), COLOURS["where"], 2)
plt.show()

# %% [markdown]
# **Figure.** A digit in each row. Left, the image with the path of the six glimpses,
# numbered, grey beyond the border. To the right, what each glimpse showed, and the most
# probable class after it. The first glimpse falls anywhere, often on black; the next ones go
# to places where strokes may be. A black square is information, too: there is no stroke.
#
# The package draws the same as an animation at the end of each run, `glimpses.gif`.
# Here are its frames for the first four test digits.

# %%
with tempfile.TemporaryDirectory() as folder:
    gif = Path(folder, "glimpses.gif")
    shown = type(seen)(*(field[:4] for field in seen))
    film.animate_glimpses(images[:4], labels[:4], shown, config, gif, scale=1.5)
    animation = gif.read_bytes()
Film(animation)

# %% [markdown]
# **Figure.** Animated, one frame per glimpse: four digits with the frame of the current
# glimpse and the path to it, below each only what the retina has seen so far and a bar per
# class, blue for the true one. A few squares are enough to recognise most digits.

# %%
pyramid = glimpse_sensor.prepare(images, 8)
ink = [glimpse_sensor.forward(pyramid, seen.locations[:, t]).mean() for t in range(6)]
print("mean brightness of glimpses 1 to 6:", np.round(ink, 2))

# %% figure
figure, axes = plt.subplots(1, 6, figsize=(11, 2.3))
mean_digit = images.mean(axis=0)
for t, ax in enumerate(axes):
    show(ax, mean_digit, f"glimpse {t + 1}", edges=(-1, -1, 1, 1))
    ax.plot(*seen.locations[:, t].T, ".", color=COLOURS["where"], ms=3)
    ax.set(xlim=(-1.25, 1.25), ylim=(1.25, -1.25), facecolor=COLOURS["unseen"])
plt.show()

# %% [markdown]
# **Figure.** Where the six glimpses fell on 250 test digits, over their mean. The first
# ones are spread over the image: they are random. All others gather where digits have
# strokes, and are on average three times as bright as the first. The clouds differ from
# glimpse to glimpse: there is a routine, which varies from digit to digit.
#
# ## Error after each glimpse
#
# The action network gives a class after every glimpse, so one rollout gives six errors.
# The package counts them on the test digits with a fixed seed for every 250, so that the
# number can be repeated:


# %%
def errors_after_each_glimpse(agent, split):
    wrong = np.zeros(agent.config.num_glimpses, int)
    for start in range(0, len(split.labels), 250):
        images = split.images[start : start + 250] * np.float32(1 / 255)
        seed = [agent.config.seed, scenes.FROZEN_SEEDS["test"], start, 0]
        rng = np.random.default_rng(seed)
        seen = model.rollout(
            agent.params, images, rng, agent.config, agent.location_std
        )
        for t, logits in enumerate(seen.logits):
            for n in range(len(images)):
                wrong[t] += logits[n].argmax() != split.labels[start + n]
    return 100 * wrong / len(split.labels)


after = errors_after_each_glimpse(agent, digits.test)
tested = evaluation.count_errors(agent, digits.test, "test", pool, rollouts=10)
assert (after == 100 * tested.after_each_glimpse / tested.num_scenes).all()
for t, error in enumerate(after, start=1):
    print(f"after glimpse {t}: {error:.1f} % wrong")
print(f"ten rollouts averaged: {tested.error_of_mean:.1f} %")

# %% [markdown]
# Is that good? Here are two simple classifiers that learn from the same 5,000 digits: the
# label of the nearest training digit, and a linear map of the pixels. And with all 50,000
# training digits of MNIST, the error of the package's quick run, from its folder:

# %%
x, test_x = (
    split.images.reshape(len(split.labels), -1) / 255
    for split in (digits.train, digits.test)
)
squared_distance = (x**2).sum(axis=1) - 2 * test_x @ x.T  # + what is the same for all
nearest = digits.train.labels[squared_distance.argmin(axis=1)]
onehot = np.eye(10)[digits.train.labels]
A = np.linalg.solve(x.T @ x + np.eye(784), x.T @ onehot)
linear = (test_x @ A).argmax(axis=1)
for name, answers in (("nearest neighbour", nearest), ("linear map", linear)):
    print(f"{name}: {100 * np.mean(answers != digits.test.labels):.1f} % wrong")
print(f"the agent sees at most {6 * 8**2} of 784 pixels")
quick = json.loads((HERE.parent / "results/1a/quick/seed-0/result.json").read_text())
print(f"quick run with all of MNIST: {quick['test_error']:.2f} % of 10,000 wrong")

# %% [markdown]
# Both classifiers see all 784 pixels. The agent sees at most 384 of them, 8 × 8 at a time,
# from a random start. One rollout of it makes more errors than the nearest neighbour, ten
# rollouts averaged make fewer, and the linear map makes more than both. More digits help:
# the quick run's agent, trained on ten times as many and on deformed copies of them, makes
# 1.01 % errors.
#
# A single number out of 1,000 digits is uncertain. If each digit goes wrong with
# probability $e$, the number of wrong ones is binomial, and the error rate has a standard
# error of $\sqrt{e (1 - e) / N}$. The exact 95 % interval holds every $e$ for which the
# number that we saw is not in the outer 2.5 % on either side. For its ends
# $e_{\text{low}}$ and $e_{\text{high}}$,
#
# $$\sum_{i \ge \text{wrong}} \binom{N}{i} e_{\text{low}}^i (1 - e_{\text{low}})^{N-i} = 0.025$$
#
# $$\sum_{i \le \text{wrong}} \binom{N}{i} e_{\text{high}}^i (1 - e_{\text{high}})^{N-i} = 0.025$$


# %%
def tail(counts, N, e):
    """Probability that one of these counts of N goes wrong."""
    log_e, log_1_e = math.log(e), math.log(1 - e)
    return sum(
        math.exp(math.log(math.comb(N, i)) + i * log_e + (N - i) * log_1_e)
        for i in counts
    )


N, wrong = 1000, 100
low, high = evaluation.interval_95(wrong, N)
assert math.isclose(tail(range(wrong, N + 1), N, low / 100), 0.025, rel_tol=1e-9)
assert math.isclose(tail(range(wrong + 1), N, high / 100), 0.025, rel_tol=1e-9)
standard_error = 100 * math.sqrt(0.1 * 0.9 / N)
print(f"10 % of 1,000: 95 % interval {low:.1f} to {high:.1f} %,", end=" ")
print(f"standard error {standard_error:.2f}")

# %% figure
counts = map(int, tested.after_each_glimpse)
intervals = [evaluation.interval_95(wrong, N) for wrong in counts]
figure, ax = plt.subplots(figsize=(6.5, 3.3))
ax.fill_between(range(1, 7), *np.transpose(intervals), color=COLOURS["unseen"])
ax.plot(range(1, 7), after, "o-", color=COLOURS["action"])
for t in range(6):
    ax.annotate(
        f"{after[t]:.1f}", (t + 1, after[t]), (5, 5), textcoords="offset points"
    )
ax.plot([6], [tested.error_of_mean], "*", ms=11, color=COLOURS["core"])
ax.annotate(
    "ten rollouts", (6, tested.error_of_mean), (-78, -12), textcoords="offset points"
)
ax.set(xlabel="glimpses", ylabel="test error (%)", ylim=(0, 80), xlim=(0.8, 6.4))
plt.show()

# %% [markdown]
# **Figure.** Error on 1,000 test digits after each glimpse, with its 95 % interval in
# grey. The first, random glimpse tells little. The second, chosen one lowers the error most.
# The star: the probabilities of ten independent rollouts averaged, sixty glimpses in all.
#
# ## Take it apart
#
# Which of its parts does the agent need? Change one thing, train equally long, compare. Runs
# are short here, 5 epochs instead of 16, so that there can be several of each, with seeds 0,
# 1, 2:
#
# - **as above**, in 5 epochs;
# - **no baseline**: $b = 0$ in the advantage;
# - **random policy**: each glimpse falls anywhere, and the policy does not learn;
# - **one glimpse**: no second look.

# %%
ABLATIONS = {
    "as above": (3, {}),
    "no baseline": (3, {"baseline": "none"}),
    "random policy": (2, {"policy": "random"}),
    "one glimpse": (2, {"num_glimpses": 1}),
}
validation, tests = {}, {}
for name, (num_seeds, changes) in ABLATIONS.items():
    validation[name], tests[name] = [], []
    for seed in range(num_seeds):
        trained, history = train(epochs=5, seed=seed, **changes)
        wrong = evaluation.count_errors(trained, digits.test, "test", pool)
        validation[name].append([row["valid_error"] for row in history])
        tests[name].append(100 * wrong.after_each_glimpse / wrong.num_scenes)

last = {name: np.array([errors[-1] for errors in tests[name]]) for name in tests}
for name, errors in last.items():
    print(f"{name:14}", ", ".join(f"{e:.1f} %" for e in errors), end="; ")
    print(f"mean {errors.mean():.1f} %")
spread = max(np.ptp(last[name]) for name in ("as above", "no baseline"))
standard_error = 100 * math.sqrt(0.25 * 0.75 / N)
print(f"runs of one setting differ by up to {spread:.1f} points")
print(f"standard error of 1,000 digits at 25 %: {standard_error:.1f} points")

# %% figure
palette = dict(zip(ABLATIONS, ("action", "baseline", "policy", "what")))
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
for ax, found in zip(axes, (validation, tests)):
    for name, curves in found.items():
        for i, errors in enumerate(curves):
            style = {"color": COLOURS[palette[name]], "lw": 1.2, "ms": 3}
            label = None if i else name
            ax.plot(range(1, len(errors) + 1), errors, "o-", **style, label=label)
axes[0].set(xlabel="epoch", ylabel="error (%)", ylim=(0, 105), title="validation")
axes[0].set_xticks(range(1, 6))
axes[1].set(xlabel="glimpses", title="test, after each glimpse")
axes[1].legend(ncols=2, loc="lower left")
plt.show()

# %% [markdown]
# **Figure.** Four settings, several seeds each. Left, the validation error over 5 epochs;
# right, the test error of the trained agents after each glimpse. With one glimpse at a
# random place the mean error is 80.9 %, with six 56.9 %. With chosen glimpses it is much
# lower, with a baseline or without, and these two ranges overlap.
#
# Choosing where to look matters: two runs of each kind are enough to see it. Whether the
# baseline matters, these runs can't say. Their means differ, but runs of *one* setting
# differ by more, many times the standard error of 1,000 digits: the seed decides which
# habits a policy takes up early. The ranges overlap: with one run of each, you could have
# "shown" either.
#
# So measure directly what a baseline does. It leaves the mean of the policy's gradient as it
# is, and makes the gradient less noisy. Freeze the trained agent and take the gradient of the
# location network from many batches, each time with the baseline and without it. Each
# choice's gradient is advantage × score. As long as these two are independent, the variance
# should shrink by the factor
#
# $$\frac{\mathrm{E}[R^2]}{\mathrm{E}[(R - b)^2]} \approx \frac{1 - e}{e\,(1 - e)} = \frac{1}{e}$$
#
# The rarer the errors, the more a baseline saves: without one, every success pulls at full
# strength, and nearly every digit is a success.

# %%
rng = np.random.default_rng(7)
estimates = {"learned": [], "none": []}
squares = {"learned": 0.0, "none": 0.0}
for batch in range(150):
    index = rng.integers(5000, size=64)
    images = digits.train.images[index] * np.float32(1 / 255)
    looked = model.rollout(agent.params, images, rng, config, agent.location_std)
    right = looked.logits[-1].argmax(axis=1) == digits.train.labels[index]
    R = np.tile(right.astype(np.float32), (config.num_glimpses - 1, 1))
    miss = (looked.locations[1:] - looked.mu) / agent.location_std**2
    for kind, b in (("learned", looked.baseline), ("none", 0)):
        dmu = -(R - b)[..., None] * miss / 64
        nothing = np.zeros_like(looked.logits), np.zeros_like(looked.baseline)
        grads = model.backward(nothing[0], dmu, nothing[1], looked, config)
        drawn = np.concatenate([g.ravel() for g in grads["location"].values()])
        estimates[kind].append(drawn)
        squares[kind] += np.mean((R - b) ** 2) / 150
noise = {kind: np.var(drawn, axis=0).sum() for kind, drawn in estimates.items()}
saved = noise["none"] / noise["learned"]
predicted = squares["none"] / squares["learned"]
print(f"variance without a baseline: {saved:.1f} times as large;", end=" ")
print(f"predicted {predicted:.1f}")

# %% [markdown]
# This measurement needs only one frozen agent. Without the baseline, the same precision
# takes that many times more digits. The ratio of the squares predicts it roughly.
#
# > **In short.** A step is: draw a batch, look, compute the reward, go back, move the
# > weights. The step size and $\sigma$ shrink; a running average of the weights is kept. One
# > run proves nothing: compare several, or measure the effect directly.
#
# ## In practice, and in the paper
#
# - The paper trains on 60,000 digits with SGD, and reports an error of 1.29 % for six
#   glimpses (1.12 % in the arXiv version). results/LOG.md says what this package tried.
# - By default, `ramnp.train` pays for each glimpse's gain in the log-probability of the
#   right class, instead of 0 or 1 at the end: each choice is paid for its own effect.
# - The headline error is one rollout per digit, drawn as in training. Averages over
#   rollouts are lower, but they can hide a poor policy: they also use more glimpses.
# - The epoch to keep is chosen on validation digits. Choosing it on the test digits reports
#   the luckiest of many draws.
# - Everything drawn here comes from a seed, so a run repeats on your machine. On another
#   machine, sums may round differently; within an epoch the policy amplifies this, and
#   curves and numbers differ somewhat.
#
# ## Exercises
#
# In `exercises/07_train_and_watch.py`; `python -m pytest exercises -k 07` checks them.
#
# 1. *Half an hour.* The weight of each past $w$ in the running average. Predict first: which
#    one counts most?
# 2. *An hour.* Compare two agents on the same digits: an exact test, from the digits on
#    which they differ.
# 3. *A day.* The whole of training in your own code, over several epochs, with either
#    optimiser and either baseline, to the same weights as the package's.
