# %% [markdown]
# # 9. What the policy learns
#
# [← 8. Find it in the clutter](08_find_it_in_the_clutter.ipynb) · [Contents](README.md)
#
# An agent with a low error need not have learned where to look. The agent with random looks
# of chapter 8 reads five of six cluttered scenes. On clean digits, a few glimpses at random
# places show most of the strokes, and a good classifier does the rest. So a low error is no
# evidence. What is?
#
# **What you'll do.** Take trained agents and change *only where they look*: their own
# path, the same path for every image, another image's path, a random one. See where the
# agent looks at each digit, what the failures have in common, and how a path forms during
# training.
#
# **What you'll learn.** Four tests of whether a policy has learned to look, which need
# no training.
#
# **What you need.** Chapters 7 and 8. 20 minutes. **Running time.** 8 seconds.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, DIGITS, HERE, Film, digit_centres, outline, show
from PIL import Image

import ramnp
from ramnp.agent import glimpse_sensor, model
from ramnp.datasets import mnist, scenes

TASKS = ("centered", "cluttered")
agents = {task: ramnp.load(task) for task in TASKS}
test = mnist.load(DIGITS).test
seen, pictures, labels = {}, {}, {}
for task, agent in agents.items():
    chunks = [
        scenes.frozen_chunk(test, "test", start, agent.config)
        for start in scenes.frozen_starts(test)
    ]
    pictures[task] = np.concatenate([images for images, _ in chunks])
    labels[task] = np.concatenate([answers for _, answers in chunks])
    seen[task] = agent.predict(pictures[task], seed=1)
    wrong = np.sum(seen[task].classes != labels[task])
    print(f"{task}: {agent.config.num_glimpses} glimpses, {wrong} of 1,000 wrong")

# %% [markdown]
# ## Somebody else's path
#
# `replay` looks wherever it is told (chapter 6). So give an agent other paths than its
# own, and leave all of its weights as they are. The first glimpse stays: nobody chose it.
#
# - **own**: where its policy takes it, for this image;
# - **fixed**: the mean of the paths over all images, the same for each;
# - **another's**: the path that it took on another image. Taken together, these are exactly
#   its own paths, but none of them belongs to its image;
# - **random**: anywhere.

# %%
rng = np.random.default_rng(9)


def error_along(task, locations):
    """Test error in percent of an agent that looks at locations (1000, T, 2)."""
    agent, images = agents[task], pictures[task]
    wrong = 0
    for start in range(0, len(images), 250):
        rows = slice(start, start + 250)
        path = locations[rows].swapaxes(0, 1).astype(np.float32)
        again = model.replay(agent.params, images[rows], path, agent.config)
        wrong += np.sum(again.logits[-1].argmax(axis=1) != labels[task][rows])
    return 100 * wrong / len(images)


paths, errors = {}, {}
for task in TASKS:
    own = seen[task].locations
    fixed = np.broadcast_to(own.mean(axis=0), own.shape)
    random = rng.uniform(-1, 1, own.shape)
    paths[task] = {
        "own": own,
        "fixed": fixed,
        "another's": np.roll(own, 1, axis=0),
        "random": random,
    }
    for name, path in paths[task].items():
        if name != "own":
            path = np.concatenate([own[:, :1], path[:, 1:]], axis=1)
        errors[task, name] = error_along(task, path)
    row = ", ".join(f"{name} {errors[task, name]:.1f} %" for name in paths[task])
    print(f"{task}: {row}")

# %% figure
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
for ax, task in zip(axes, TASKS):
    names = list(paths[task])
    values = [errors[task, name] for name in names]
    ax.barh(names, values, color=[COLOURS["policy"], *3 * [COLOURS["muted"]]])
    for i, value in enumerate(values):
        ax.text(value, i, f" {value:.1f}", va="center")
    ax.set(title=task, xlabel="test error (%)", ylim=(3.6, -0.6))
    ax.set_xlim(0, 1.2 * max(values))
plt.show()

# %% [markdown]
# **Figure.** Test error of two trained agents along four kinds of paths: their own, one
# fixed path for all images, another image's path, a random one. In clutter only its own path
# gives a low error. Another image's path is worse than random looks, which at least cover the
# scene. On centered digits a fixed path costs little, because every digit is in the middle.
#
# Both policies respond to their image, the one in clutter far more. The random path alone
# would not show it: a path can be worse because the networks have never seen glimpses from
# there. *Another's* excludes this explanation: the agent does look at these places, equally
# often.
#
# ## Where it looks, by digit
#
# If the path depends on the image, it should depend on the class. Where do the last
# glimpses of the centered agent fall?

# %%
own, answers = seen["centered"].locations, labels["centered"]
later = own[:, 2:]
overall = later.reshape(-1, 2).mean(axis=0)
within = np.mean([later[answers == c].var(axis=0).sum() for c in range(10)])
total = later.var(axis=0).sum()
share = 100 * (1 - within / total)
print(f"the class explains {share:.0f} % of the variance of where it looks")
for c in range(10):
    x, y = later[answers == c].reshape(-1, 2).mean(axis=0) - overall
    print(f"{c}: {x:+.2f} {y:+.2f} from the mean of all digits")

# %% figure
figure, axes = plt.subplots(2, 5, figsize=(11, 4.8))
for c, ax in enumerate(axes.flat):
    show(ax, pictures["centered"][answers == c].mean(axis=0), str(c), (-1, -1, 1, 1))
    ax.plot(*later[answers == c].reshape(-1, 2).T, ".", ms=2, color=COLOURS["where"])
    path = np.median(own[answers == c], axis=0)
    ax.plot(*path[1:].T, "o-", ms=3, lw=1, color=COLOURS["policy"])
    ax.set(xlim=(-1, 1), ylim=(1, -1), facecolor="black")
plt.show()

# %% [markdown]
# **Figure.** For each class, its mean image, where the glimpses from the third on fell
# in 1,000 test digits, orange, and the median path from the second glimpse on, red. The
# paths share a routine, and each class shifts it to other places.
#
# ## Failures
#
# What do the scenes that go wrong have in common? In clutter there are two ways to fail:
# never to look at the digit, or to look and misread.

# %%
task, config = "cluttered", agents["cluttered"].config
starts = scenes.frozen_starts(test)
seeds = [[scenes.FROZEN_SEEDS["test"], start] for start in starts]
centres = np.concatenate([digit_centres(seed) for seed in seeds])
looks = 30 + 30 * seen[task].locations
nearest = np.sqrt(((looks[:, 1:] - centres[:, None]) ** 2).sum(axis=2)).min(axis=1)
wrong = seen[task].classes != labels[task]
for name, rows in (("right", ~wrong), ("wrong", wrong)):
    missed = np.sum(nearest[rows] > 14)
    print(f"{name}: {rows.sum():3} scenes; closest look, in the median,", end=" ")
    print(f"{np.median(nearest[rows]):.1f} pixels away;", end=" ")
    print(f"{missed} never within 14 pixels")

# %% figure
figure, axes = plt.subplots(1, 5, figsize=(11, 2.7))
for ax, n in zip(axes, np.flatnonzero(wrong)):
    title = f"a {labels[task][n]}, taken for a {seen[task].classes[n]}"
    show(ax, pictures[task][n], title)
    edges = glimpse_sensor.windows(seen[task].locations[n], (60, 60), 12)[:, 0]
    ax.plot(*(edges[:, :2] + 6).T, "o-", ms=3, lw=1, color=COLOURS["policy"])
    left, top = centres[n] - 14
    outline(ax, (left, top, left + 28, top + 28), COLOURS["action"], 1)
    ax.set(xlim=(-2, 62), ylim=(62, -2))
plt.show()

# %% [markdown]
# **Figure.** Five cluttered scenes that went wrong, with the path in red and the digit's
# own square in blue, which the agent is never told. Each time it did look at the digit,
# and misread it.
#
# The printed lines say the same of all scenes: right or wrong, no digit was missed, and the
# closest look was about as close. The agent's remaining mistakes are in reading, not in
# looking.
#
# ## How a path forms
#
# `python -m tutorials.record` trained an agent on cluttered scenes for 20 epochs, by Adam.
# At some steps of the first epoch and after each epoch, it kept where the agent looks in 100
# test scenes of this page, and its error on all 1,000, with locations that are drawn and with
# every look at the policy's mean (*deterministic*). Distances are from the digit's middle.

# %%
film = np.load(HERE / "path.npz", allow_pickle=False)
steps, drawn, settled = film["step"], film["sampled_error"], film["deterministic_error"]
recorded = 30 + 30 * film["locations"].astype(float)
distance = np.sqrt(((recorded - centres[:100, None]) ** 2).sum(axis=-1))
second = np.median(distance[:, :, 1], axis=1)
moments = [i for i, s in enumerate(steps) if s <= 391 or i % 3 == 0 or s == steps[-1]]
for i in moments:
    print(f"step {steps[i]:4}: {drawn[i]:4.1f} % wrong drawn,", end=" ")
    print(f"{settled[i]:4.1f} % deterministic;", end=" ")
    print(f"second look {second[i]:4.1f} pixels away")
apart = np.abs(drawn - settled)[steps >= 300].max()
print(f"from step 300 on, the two errors differ by up to {apart:.1f} points")
last = np.median(distance[-1], axis=0).round(1)
print("the eight glimpses in the end:", last, "pixels away")
best = np.median(np.sqrt(((looks[:, 1] - centres) ** 2).sum(axis=1)))
print(f"second look of the agent of chapter 8: {best:.1f} pixels away")

# %% figure
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
drawn_style = {"color": COLOURS["where"], "label": "drawn"}
settled_style = {"color": COLOURS["policy"], "label": "deterministic"}
axes[0].loglog(steps[1:], drawn[1:], "o-", ms=3, **drawn_style)
axes[0].loglog(steps[1:], settled[1:], "o--", ms=3, **settled_style)
axes[0].set(xlabel="step", ylabel="test error (%)")
axes[0].set_yticks([10, 20, 50, 100], ["10", "20", "50", "100"])
axes[0].legend()
for t, colour in ((1, "policy"), (2, "where"), (7, "muted")):
    label = f"glimpse {t + 1}"
    far = np.median(distance[:, :, t], axis=1)
    axes[1].semilogx(steps[1:], far[1:], color=COLOURS[colour], label=label)
axes[1].set(xlabel="step", ylabel="pixels from the digit's middle", ylim=(0, None))
axes[1].legend()
for ax in axes:
    ax.set_xticks([50, 100, 391, 1000, 7820], ["50", "100", "1 epoch", "", "20 epochs"])
    ax.minorticks_off()
plt.show()

# %% [markdown]
# **Figure.** Left, the error from step 50 to the end, with locations drawn and at the
# policy's mean, both axes logarithmic. Right, the median distance of three of the glimpses
# from the digit's middle. For a hundred steps the looks stay where they were: one look can
# be worth more than another only when the classifier has learned something. Then the second
# look moves to the digit, within two epochs. The later glimpses keep away from its middle,
# where the second one has been.
#
# The film shows the same in three scenes.

# %% figure
frames = []
for i in moments:
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3))
    for ax, n in zip(axes, (0, 1, 2)):
        show(ax, pictures["cluttered"][n], edges=(0, 0, 60, 60))
        x, y = recorded[i, n].T
        ax.plot(x, y, "o-", color=COLOURS["policy"], lw=1.5, ms=4)
        for t in (0, 1):
            where = (x[t] - 6, y[t] - 6, x[t] + 6, y[t] + 6)
            outline(ax, where, COLOURS["where"], 2.4 - t)
        ax.set(xlim=(-8, 68), ylim=(68, -8), facecolor=COLOURS["unseen"])
    when = f"after {steps[i] // 391} epochs" if steps[i] > 391 else f"step {steps[i]}"
    axes[0].set_title(f"{when}: error {settled[i]:.0f} %", loc="left")
    figure.canvas.draw()
    frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]))
    plt.close(figure)
Film(frames)

# %% [markdown]
# **Figure.** Animated, one frame per moment of the training: three cluttered scenes with
# the path of the eight glimpses at the policy's mean, and the windows of the first two.
# At first all looks stay near the middle. In the end the second look is at the digit, and
# the others spread around it. The second look of chapter 8's agent, which was trained longer,
# is closer still: 3.8 pixels from the digit's middle against 4.8.
#
# ## Deterministic against drawn
#
# The two error columns give the last test. In training, locations are drawn around the
# mean $\mu_t$. If the means have learned something, looking exactly there is about as good as
# looking around them. This holds here from step 300 on: the columns differ by less than two
# points. If the means have learned nothing, a deterministic agent looks at the same useless
# places in every image. It is worse than one whose noise at least spreads its looks, as in
# the rows up to step 200. The extreme is the run with random looks of chapter 8, whose means
# were never trained:

# %%
folder = HERE.parent / "results" / "2a"
for row in ("random-8", "best"):
    result = json.loads((folder / row / "seed-0" / "result.json").read_text("utf-8"))
    sampled, at_mean = result["test_error"], result["test_error_deterministic"]
    print(f"{row + ':':9} {sampled:.2f} % drawn, {at_mean:.2f} % deterministic")

# %% [markdown]
# > **In short.** Four tests of a policy, none of which needs training: another image's
# > path must be worse than its own; so must a fixed one; the class must explain part of
# > where it looks; and deterministic looks must not be clearly worse than drawn ones.
#
# ## In practice, and in the paper
#
# - The paper shows paths on a few scenes, and compares with an agent that was trained
#   with random glimpses: 14.4 % against 4.04 % on cluttered scenes (arXiv version).
# - To test a policy, take a task in which the right place differs from image to image. On
#   centered digits a fixed path is nearly as good.
# - `python -m ramnp.evaluate RUN` prints both the drawn and the deterministic error.
#
# ## Exercises
#
# In `exercises/09_what_the_policy_learns.py`; `python -m pytest exercises -k 09` checks them.
#
# 1. *Ten minutes.* Predict first: is the error along *reversed* own paths nearer to
#    "own" or to "random"? Write the function that makes all kinds of paths, and try it with
#    this chapter's `error_along`.
# 2. *An hour.* The share of the variance of locations that the class explains, without
#    bias from small classes.
# 3. *Half a day.* The worth of each glimpse: the error if glimpse $t$ alone is replaced
#    by a random one.
