# %% [markdown]
# # 0. The agent in ten minutes
#
# [Contents](README.md) · [1. Look through the retina →](01_look_through_the_retina.ipynb)
#
# You do not see a picture all at once. Your eye jumps about three times a second from
# place to place and sees a small spot sharply at each; your brain puts the spots
# together. Most programs that recognise images work differently: they compute with every
# pixel, whatever it shows. The *Recurrent Attention Model* (V. Mnih, N. Heess, A.
# Graves, K. Kavukcuoglu, [*Recurrent models of visual
# attention*](https://arxiv.org/abs/1406.6247), NIPS 2014) looks as you do. It has to
# learn two things at once: what to make of what it sees, and **where to look next**.
#
# **What you'll do.** Watch a trained agent find a digit in clutter, take it apart into
# five small networks, and read the one sentence that teaches it where to look.
#
# **What you'll learn.** What each of the following chapters is about, and why it is needed.
#
# **What you need.** Nothing yet. 10 minutes. **Running time.** 2 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, DIGITS, digit_centres, moving, outline, show, unrolled

import ramnp
from ramnp.agent import glimpse_sensor
from ramnp.datasets import mnist, scenes

agent = ramnp.load("cluttered")
images, labels = scenes.frozen_chunk(mnist.load(DIGITS).test, "test", 0, agent.config)
seen = agent.predict(images)
print(f"{agent.num_parameters:,} weights, {agent.config.num_glimpses} glimpses")
print(f"wrong: {(seen.classes != labels).sum()} of {len(labels)} scenes")

# %% [markdown]
# ## Watch it look
#
# Somewhere in each scene is a digit; the rest are pieces of other digits. The agent
# begins in the middle. It never sees the left picture, only what appears on the right.

# %%
moving.agent(images[:6], labels[:6], type(seen)(*(f[:6] for f in seen)), agent.config)

# %% [markdown]
# *To move:* choose a scene, then go from glimpse to glimpse. Left is the scene, which the
# agent does not see, with the path of its glimpses. Right is all that it has seen so far.
# The bars below are its probabilities of the classes, the right class in blue. Before you
# move to glimpse 2, guess: where would *you* look next, knowing only the right picture?
#
# Does it go to the digit? The scenes are composed here, so the digit's place is known:

# %%
centres = digit_centres([scenes.FROZEN_SEEDS["test"], 0])
looks = 30 + 30 * seen.locations  # in pixels
distances = np.sqrt(((looks - centres[:, None]) ** 2).sum(axis=2))
for t in (1, 2):
    median = np.median(distances[:, t - 1])
    print(f"glimpse {t}: median distance from the digit {median:.1f} pixels")

# %% figure
figure, axes = plt.subplots(1, 4, figsize=(11, 2.9))
for ax, n in zip(axes, range(4)):
    show(ax, images[n], f"a {labels[n]}")
    edges = glimpse_sensor.windows(seen.locations[n], (60, 60), 12)[:, 0]
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    ax.plot(*centres.T, color=COLOURS["policy"], lw=1.5)
    for t in (0, 1):
        outline(ax, edges[t], COLOURS["where"], 2 - t)
        ax.text(*edges[t, :2], t + 1, color="white", va="bottom", fontsize=8)
    ax.set(xlim=(-2, 62), ylim=(62, -2))
plt.show()

# %% [markdown]
# **Figure.** Four scenes with the path of eight glimpses, and the sharp windows of the
# first two. The first is always in the middle. The second goes to the digit, wherever
# it is: that is what the agent has learned. Nobody told it where the digit was, neither
# in training nor later.
#
# ## Why look, if you could see?
#
# A glimpse is a sharp spot of 12 × 12 pixels with coarse rings around it, of 12 × 12 cells
# each. Let the image grow, with one more ring for each doubling of its side:

# %%
for side, scales in ((60, 3), (120, 4), (240, 5)):
    glimpse = scales * 12**2
    print(f"{side} × {side} pixels: {side**2:6,} in the image, {glimpse} in a glimpse")

# %% [markdown]
# A network that sees the whole image has a connection from every pixel. Twice the side
# makes four times as many, while the agent's glimpse gains one ring.
#
# ## The loop
#
# One round is: look, remember, choose. Here is all of it, unrolled over three glimpses:

# %% figure
unrolled()
plt.show()

# %% [markdown]
# **Figure.** Three glimpses, left to right. At the bottom, $\rho_t$ is what was seen at
# the location $l_t$. Both go into a vector $g_t$, and $g_t$ goes into the memory $h_t$,
# which also keeps what was there before. From the memory come the mean $\mu_{t+1}$ of
# the next location, a guess $b_{t+1}$ of the reward, and after the last glimpse the class.
#
# There are five small networks. In the paper's form, each is built from two operations:
# multiply by a matrix and add; set negative numbers to 0.
#
# | part | from | to | chapter |
# | --- | --- | --- | --- |
# | glimpse sensor (no weights) | the image and $l_t$ | $\rho_t$, sharp in the middle, coarse around | [1](01_look_through_the_retina.ipynb) |
# | glimpse network | $\rho_t$ and $l_t$ | $g_t$: what, and where | [3](03_combine_what_and_where.ipynb) |
# | core network | $h_{t-1}$ and $g_t$ | $h_t$, the memory | [4](04_unroll_through_time.ipynb) |
# | location network | $h_{t-1}$ | $\mu_t$; $l_t$ is drawn around it | [5](05_learn_without_derivatives.ipynb) |
# | action network | $h_T$ | the class | [4](04_unroll_through_time.ipynb) |
# | baseline network | $h_{t-1}$ | $b_t$, the reward it expects | [5](05_learn_without_derivatives.ipynb) |
#
# ## How it learns
#
# **What to make of what it sees** is learned as in any network: compare the class with
# the label, and follow the derivative of the error back through everything that led to
# it. Chapters 2 to 4 derive it, to the last sum.
#
# **Where to look** can't be learned that way: moving a glimpse by a hair changes
# nothing that is seen, so there is no derivative to follow. Instead, the agent places its
# glimpses with a little randomness, and learns from the results. In one sentence, this is
# *REINFORCE*:
#
# > If the answer was right more than you expected, make what you just did more likely;
# > if less, make it less likely.
#
# Chapter 5 turns the sentence into a gradient, and proves it.
#
# **Is it right?** A network with a wrong gradient often learns all the same: chapter 2
# trains one. So every formula here is written twice, once as simply as possible. The two
# are compared with each other and with an independent judge, the complex step.
#
# ## The map
#
# 1. [Look through the retina](01_look_through_the_retina.ipynb): what a glimpse is.
# 2. [Backpropagate by hand](02_backpropagate_by_hand.ipynb): three operations, and how
#    to test a gradient.
# 3. [Combine what and where](03_combine_what_and_where.ipynb): a network that forks and joins.
# 4. [Unroll through time](04_unroll_through_time.ipynb): memory, and blame sent back along it.
# 5. [Learn without derivatives](05_learn_without_derivatives.ipynb): REINFORCE.
# 6. [Assemble the agent](06_assemble_the_agent.ipynb): all gradients at once; a task
#    that needs eyes.
# 7. [Train and watch](07_train_and_watch.ipynb): digits, curves, ablations.
# 8. [Find it in the clutter](08_find_it_in_the_clutter.ipynb): search, and what it costs.
# 9. [What the policy learns](09_what_the_policy_learns.ipynb): where it looks, and
#    whether that matters.
#
# If you would rather read code than chapters: [ram.py](ram.py) is the whole agent in 150
# lines of NumPy: sensor, networks, derivatives, REINFORCE and training.
# `python tutorials/ram.py` trains it to follow a sign while you watch.
#
# > **In short.** Look at a little, remember, choose where to look next. Backpropagation
# > teaches the agent what it sees, trial and reward teach it where to look.
