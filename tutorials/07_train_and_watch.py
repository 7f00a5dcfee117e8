# %% [markdown]
# # 7. Train and watch
#
# [← 6. Assemble the agent](06_assemble_the_agent.ipynb) ·
# [Contents](README.md) ·
# [8. Find it in the clutter →](08_find_it_in_the_clutter.ipynb)
#
# Gradients are right; will it learn? Here you train on real digits, and watch where the
# agent looks. Then you take it apart, because a good error proves little: agents that
# never learn where to look read digits, too.
#
# **What you'll do.** Write a step of training by hand, to the last rounding, train the
# agent on real digits, and watch where it looks. Then take it apart: without the
# baseline, without the policy, without the second glimpse.
#
# **What you'll learn.** What a training run consists of besides gradients: schedules
# and averages; how to read its curves; how an error falls from glimpse to glimpse; and
# how many runs it takes before you may say that one setting is better than another.
#
# **What you need.** Chapters 1 to 6. 30 minutes. **Running time.** 1 minute.

# %%
import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, DIGITS, Film, outline, show

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
# MNIST has 70,000 digits. A tenth of them lies beside this page, in the form in which
# you can bring your own: an `.npz` with `images` and `labels`. It is cut in order, 5/7
# to learn from, 1/7 to look at during training, 1/7 for the test, which is used once,
# at the end. In this file the test digits are MNIST's own first thousand.
# (`python -m ramnp.train --data tutorials/digits.npz` would train on the same.)

# %%
digits = mnist.load(DIGITS)
count = 7000
assert len(digits.test.labels) == len(digits.valid.labels) == count // 7
assert len(digits.train.labels) == count - 2 * (count // 7) == 5000
print("digits of each class:", np.bincount(digits.train.labels))

# %% [markdown]
# ## The agent
#
# Six glimpses of 8 × 8 pixels, the first at a random place. $h_g$ has the paper's 128
# units; all other layers have half as many as the paper's, to be quick. It is paid as
# in the paper: 1 if the class after the last glimpse is right. Beyond the form that
# chapter 6 took apart, it has what `ramnp.train` uses by default: the class is asked
# for after *every* glimpse; the policy's mean has a hidden layer and a $\tanh$; its
# gradient also reaches the core, with weight $\lambda = 0.1$. The loss of one image:
#
# $$L = \sum_{t=1}^{T} -\log p_t(\text{label})$$
#
# $$- \lambda \sum_{t=2}^{T} (R_t - b_t) \log \pi(l_t) + \sum_{t=2}^{T} (b_t - R_t)^2$$

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
}
config = make_config("centered", "quick", **SMALL)
paper = Config()
for name in ("hg_size", "hl_size", "g_size", "h_size"):
    print(f"{name}: {getattr(config, name)}, in the paper {getattr(paper, name)}")
print(
    f"{parameters.size(model.shapes(config)):,} parameters, in the paper's form",
    end=" ",
)
print(f"{parameters.size(model.shapes(paper)):,}")

# %% [markdown]
# ## One step, by hand
#
# Each step takes 64 digits. Two settings depend on how far we are. The step size $\eta$
# falls along half a cosine, to $f = 1\,\%$ of where it began: long steps to get
# somewhere, short ones to stop shaking. The policy's $\sigma$ shrinks by the same
# factor each step: look about first, aim later.
#
# $$\eta = \eta_0 \Big( f + (1 - f)\, \tfrac{1}{2} \big(1 + \cos(180° \cdot \text{done})\big) \Big)$$
#
# $$\sigma = \sigma_{\text{first}}^{\,1 - \text{done}}\, \sigma_{\text{last}}^{\,\text{done}}
#   \qquad \text{done} = \text{steps taken} / \text{all steps}$$


# %%
def schedule(done, config):
    """Step size and σ when this share of all steps is done."""
    f = config.final_rate
    share = (1 + math.cos(math.radians(180 * done))) / 2
    rate = config.learning_rate * (f + (1 - f) * share)
    std = config.location_std ** (1 - done) * config.final_location_std**done
    return rate, std


pool = ThreadPoolExecutor(1)
theirs = state.initial(config, len(digits.train.labels))
trainer = Trainer(config, digits.train, theirs)
steps_per_epoch = math.ceil(5000 / config.batch_size)
all_steps = config.epochs * steps_per_epoch
assert steps_per_epoch == trainer.steps_per_epoch == 79
for theirs.step in range(0, all_steps, 50):
    rate, std = schedule(theirs.step / all_steps, config)
    assert math.isclose(rate, trainer.learning_rate, rel_tol=1e-12)
    assert math.isclose(std, trainer.location_std, rel_tol=1e-12)
theirs.step = 0

# %% [markdown]
# Then: look, get paid, and go back. What the networks' outputs receive from the loss is
# the same as in chapter 6, with a class at every $t$:
#
# $$\mathrm{d}z_t = \tfrac{1}{B} (p_t - \text{onehot})$$
#
# $$\mathrm{d}\mu_t = -\tfrac{\lambda}{B} (R_t - b_t) \frac{l_t - \mu_t}{\sigma^2}$$
#
# $$\mathrm{d}b_t = \tfrac{2}{B} (b_t - R_t)$$
#
# From there the networks and the way back through time take over, which Chapters 2 to 6
# have proved. Last, Adam: $m$ follows the gradient $\nabla L$, $v$ follows its square,
# and the step is $m / \sqrt{v}$, both freed of their start at 0. And a second set of
# weights follows the first:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, \nabla L$$
#
# $$v \leftarrow \beta_2 v + (1 - \beta_2)\, (\nabla L)^2$$
#
# $$w \leftarrow w - \eta\, \frac{m / (1 - \beta_1^{\text{step}})}
#   {\sqrt{v / (1 - \beta_2^{\text{step}})} + 10^{-8}}$$
#
# $$\bar w \leftarrow d\, \bar w + (1 - d)\, w \qquad
#   d = \min\Big(d_\infty, \frac{\text{step}}{\text{step} + 10}\Big)$$
#
# $w$ jitters with every batch. The running average $\bar w$ does not, and it is
# $\bar w$ that is tested and kept. Its memory starts short, for the first weights are
# not worth keeping.


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
        d = min(config.average_decay, self.steps / (self.steps + 10))
        self.average = d * self.average + (1 - d) * self.w


assert config.optimizer == "adam" and config.momentum == 0.9
ours = ByHand(config, digits.train)
for _ in range(5):
    ours.w = theirs.vector.copy()  # or roundings would add up from step to step
    ours.step()
    trainer.step()
    dw = trainer.gradients[0]
    apart = np.abs(ours.dw - dw).max() / np.abs(dw).max()
    close = np.mean(np.abs(ours.w - theirs.vector) < 1e-6)
    print(
        f"gradients {apart:.0e} apart; {100 * close:.2f} % of the weights within 1e-6"
    )
    assert apart < 1e-5 and close > 0.999
    assert np.mean(np.abs(ours.average - theirs.average) < 1e-6) > 0.999

# %% [markdown]
# The gradients agree to the rounding of float32. The weights do in more than 999 of
# 1,000 coordinates: where $\nabla L$ is nearly 0, $m / \sqrt{v}$ divides one rounding
# error by another.
#
# ## Train
#
# A run is this step, over and over, with a new order of the digits in each epoch and a
# look at the validation digits at its end.


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
assert 6 < last < 18 and first > 30

# %%
epochs = np.arange(1, 17)
share_wrong = curve["train_error"] / 100
of_constant = share_wrong * (1 - share_wrong)
of_baseline = curve["baseline_loss"] / (config.num_glimpses - 1)
ratio = of_baseline[4:] / of_constant[4:]
print(f"from epoch 5 on: baseline's error {ratio.min():.2f} to {ratio.max():.2f} times")
print("that of the best constant")
assert 0.85 < ratio.min() and ratio.max() < 1.25

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
# **Figure.** A run of 16 epochs. Left, the error on training and validation digits: the
# first few epochs bring most; later the training error, counted while the weights still
# move and the looks are wider, falls below the validation error, for 5,000 digits are
# few. Middle, the baseline's squared error and, dashed, that of the best constant.
# Right, the two schedules.
#
# What does the baseline know? A constant $b$ can do no better than the variance of $R$,
# and for a reward that is 1 with probability $1 - e$ that is $e\,(1 - e)$, where $e$ is
# the training error. The two curves in the middle lie on each other: our baseline has
# learned how often the agent is right, and not on which digits. It is one linear map of
# an $h_t$ that nobody shaped for it. It guards against the reward's zero, as in chapter
# 5, and against no more.


# %% [markdown]
# ## Watch
#
# What does it look at? All that a glimpse shows is 8 × 8 pixels. Three test digits: the
# first that it has right from the third glimpse on, the first that it gets only with
# the sixth, and the first that it gets wrong.

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
# numbered, grey beyond the border. To the right, what each glimpse showed, and the
# class that the agent then held most probable. The first glimpse falls anywhere, often
# on black; the next ones go to where strokes may be. A black square is a finding, too:
# it says what is not there.
#
# The package draws the same as an animation at the end of each run, `glimpses.gif`.
# Here are its frames for the first eight test digits.

# %%
with tempfile.TemporaryDirectory() as folder:
    gif = Path(folder, "glimpses.gif")
    shown = type(seen)(*(field[:8] for field in seen))
    film.animate_glimpses(images[:8], labels[:8], shown, config, gif)
    animation = gif.read_bytes()
Film(animation)

# %% [markdown]
# **Figure.** Animated, one frame per glimpse: eight digits with the frames of the
# glimpses so far, beside each what the retina has seen up to now and nothing else,
# below each a bar per class, blue for the true one. From a few squares, most digits can
# be told.

# %%
pyramid = glimpse_sensor.prepare(images, 8)
ink = [glimpse_sensor.forward(pyramid, seen.locations[:, t]).mean() for t in range(6)]
print("mean brightness of glimpses 1 to 6:", np.round(ink, 2))
assert min(ink[1:]) > 1.5 * ink[0]

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
# ones are spread over the image, as nobody chose them. All others gather where digits
# have strokes, and hold at least half as much ink again as the first. The clouds differ
# from step to step: there is a routine, and each digit bends it.
#
# ## Error after each glimpse
#
# The action network says a class after every glimpse, so one rollout gives six errors.
# The package counts them on test digits with noise of a fixed seed for each 250, so
# that the number repeats:


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
assert after[0] > 60 and 20 < after[1] < 50 and after[5] < 18
assert tested.error_of_mean < tested.error == after[5]

# %% [markdown]
# Is that good? Two yardsticks on the same 5,000 digits, for which nothing has to be
# trained for minutes: the label of the nearest training digit, and a linear map of the
# pixels.

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

# %% [markdown]
# Both see all 784 pixels. The agent sees at most 384 of them, 8 × 8 at a time, and begins
# anywhere. One rollout of it is a little behind the nearest neighbour, which compares
# with all 5,000 digits, ten rollouts are ahead, and the linear map of everything is far
# behind both. More digits help: with all of them, the package's agent for this task
# gets to 2.21 % (README.md).
#
# A single number out of 1,000 digits is uncertain. If each digit goes wrong with
# probability $e$, the count of wrong ones is binomial, and $e$ has a standard error of
# $\sqrt{e (1 - e) / N}$. The exact 95 % interval holds every $e$ for which the count we
# saw is not in the outer 2.5 % on either side:
#
# $$\sum_{i \ge k} \binom{N}{i} e_{\text{low}}^i (1 - e_{\text{low}})^{N-i} = 0.025$$
#
# $$\sum_{i \le k} \binom{N}{i} e_{\text{high}}^i (1 - e_{\text{high}})^{N-i} = 0.025$$
#
# for $k$ wrong ones of $N$.


# %%
def tail(counts, N, e):
    """Probability that one of these counts of N goes wrong."""
    log_e, log_1_e = math.log(e), math.log(1 - e)
    return sum(
        math.exp(math.log(math.comb(N, i)) + i * log_e + (N - i) * log_1_e)
        for i in counts
    )


N, k = 1000, 100
low, high = evaluation.interval_95(k, N)
assert math.isclose(tail(range(k, N + 1), N, low / 100), 0.025, rel_tol=1e-9)
assert math.isclose(tail(range(k + 1), N, high / 100), 0.025, rel_tol=1e-9)
standard_error = 100 * math.sqrt(0.1 * 0.9 / N)
print(f"10 % of 1,000: {low:.1f} to {high:.1f} %, standard error {standard_error:.2f}")

# %% figure
intervals = [evaluation.interval_95(int(k), N) for k in tested.after_each_glimpse]
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
# grey. The first, random glimpse tells little. The second, chosen one brings most. The
# star: the probabilities of ten independent rollouts averaged, sixty glimpses in all.
#
# ## Take it apart
#
# Which of its parts does it need? Change one thing, train as long, compare. Runs are
# short here, 5 epochs instead of 16, so that there can be several of each, with seeds
# 0, 1, 2, ...:
#
# - **as above**, in 5 epochs;
# - **no baseline**: $b = 0$ in the advantage, every reward pulls;
# - **random policy**: each glimpse falls anywhere, nothing is learned about where;
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
# **Figure.** Four settings, several seeds each. Left, the validation error in the
# course of 5 epochs; right, the test error of the trained agents after each glimpse.
# One glimpse at a random place stays near 80 %, six of them above 50 %; with chosen
# ones it is 18 to 36 %. The ranges with and without a baseline overlap.

# %%
last = {name: np.array([errors[-1] for errors in tests[name]]) for name in tests}
for name, errors in last.items():
    print(f"{name:14}", ", ".join(f"{e:.1f} %" for e in errors))
spread = max(np.ptp(last[name]) for name in ("as above", "no baseline"))
standard_error = 100 * math.sqrt(0.25 * 0.75 / N)
print(f"runs of one setting differ by up to {spread:.1f} points")
print(f"standard error of 1,000 digits at 25 %: {standard_error:.1f} points")
assert last["one glimpse"].min() > 72
assert 45 < last["random policy"].min() and last["random policy"].max() < 68
assert 15 < last["as above"].mean() < 35 and last["no baseline"].mean() < 42
assert spread > 2 * standard_error

# %% [markdown]
# Choosing where to look matters beyond doubt: two runs are enough to see it. Whether
# the baseline does, these runs can't say. On average those with it are 8 points better,
# but runs of *one* setting differ by up to 12 points, many times the standard error of
# 1,000 digits, for the seed decides which habits a policy takes up early. The ranges
# overlap: from one run of each, you could have "shown" either.
#
# So measure what a baseline claims to do, instead of where a run ends up. It does not
# move the policy's mean gradient; it makes it less noisy. Freeze the trained agent and
# take the gradient of the location network from many batches, each time with the
# baseline and without it. Each choice's gradient is (advantage) × (score), so as long
# as the two do not depend on each other, the noise, as a variance, should shrink by the
# factor
#
# $$\frac{\mathrm{E}[R^2]}{\mathrm{E}[(R - b)^2]} \approx \frac{1 - e}{e\,(1 - e)} = \frac{1}{e}$$
#
# The rarer the errors, the more a baseline saves: without one, every success pulls at full
# strength, and nearly everything is a success.

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
print(
    f"variance without a baseline: {saved:.1f} times as large; predicted {predicted:.1f}"
)
assert 4 < saved and 0.5 < saved / predicted < 2

# %% [markdown]
# Measured like this, one frozen agent is enough. Without the baseline, as many times
# more digits would be needed for the same precision, and the ratio of the squares tells
# about how many.
#
# > **In short.** A step is: draw a batch, look, be paid, go back, move. The step size
# > and $\sigma$ shrink; a running average of the weights is kept. One run proves
# > nothing: compare several, or measure the thing itself.
#
# ## In practice, and in the paper
#
# - The paper trains on 60,000 digits with SGD, and reports an error of 1.29 % for six
#   glimpses (1.12 % in the arXiv version). `python -m ramnp.train --task centered` gets
#   to about 2 % in minutes on two cores; results/LOG.md says what was tried.
# - Its default pays for what each glimpse adds to $\log p(\mathrm{label})$ instead of 0
#   or 1 at the end. Such rewards come sooner after their cause, and have a smaller mean
#   to subtract.
# - The headline error is one rollout per digit, drawn as in training. Averages over
#   rollouts are better, but they hide a policy that is poor: they also buy more
#   glimpses.
# - The epoch to keep is chosen on validation. Choosing it on the test digits, which public
#   programs do, reports the luckiest of many draws.
# - Everything drawn here comes from a seed, so a run repeats on your machine. On
#   another one, sums may round differently; a policy amplifies that within an epoch,
#   and the curves come out a little different. So the asserts above leave room.
#
# ## Exercises
#
# In `exercises/07_train_and_watch.py`; `python -m pytest exercises -k 07` checks them.
#
# 1. *Half an hour.* How much each past set of weights counts in the running average.
# 2. *An hour.* Compare two agents on the same digits: an exact test, from the digits on
#    which they differ.
# 3. *A day.* The whole of training in your own code, over several epochs, with either
#    optimiser and either baseline, to the same weights as the package's.
