"""All of training in plain, slow Python, for any configuration.

Loops over images, rollouts and time; gradients by the complex step of the plain loss.
Nothing of ramnp is used: what the package computes is asserted equal to this.
Parameters are {"network.name": array} in float64, in the order of the package.
"""

import math

import numpy as np

FROZEN_SEEDS = {"valid": 1406, "test": 6247}
STEP = 1e-30  # of the complex step
RECTIFIER_GAIN = math.sqrt(2)


# Initial parameters and random streams


def streams_of(config):
    """Return {name: [generator of shard 0, 1, ...]}."""
    names = ("initialisation", "shuffling", "scenes", "policy")
    seeds = np.random.SeedSequence(config.seed).spawn(len(names))
    return {
        name: [np.random.default_rng(s) for s in seed.spawn(config.num_shards)]
        for name, seed in zip(names, seeds)
    }


def initial_params(config, rng):
    """Draw W ~ N(0, gain² / fan_in); biases are 0."""
    c, params = config, {}

    def linear(weight, fan_in, fan_out, gain=RECTIFIER_GAIN, units=None, bias=None):
        std = gain / math.sqrt(units or fan_in)
        params[weight] = std * rng.standard_normal((fan_in, fan_out))
        if bias:
            params[bias] = np.zeros(fan_out)

    if c.model == "ram":
        rho = c.num_scales * c.patch_size**2 * c.channels
        linear("glimpse.W_hg", rho, c.hg_size, bias="glimpse.b_hg")
        linear("glimpse.W_hl", 2, c.hl_size, bias="glimpse.b_hl")
        linear("glimpse.W_g", c.hg_size + c.hl_size, c.g_size, bias="glimpse.b_g")
        units = c.g_size + c.h_size
        linear("core.W_h", c.h_size, c.h_size, units=units)
        linear("core.W_g", c.g_size, c.h_size, units=units, bias="core.b_h")
        if c.identity_recurrence:
            params["core.W_h"] = np.eye(c.h_size)
        size = c.h_size
        if c.locator_hidden_size:
            size = c.locator_hidden_size
            linear("location.W_hidden", c.h_size, size, bias="location.b_hidden")
        linear("location.W_mu", size, 2, gain=0.1, bias="location.b_mu")
        linear("action.W_a", c.h_size, c.num_classes, gain=1.0, bias="action.b_a")
        linear("baseline.W_b", c.h_size, 1, gain=0.1, bias="baseline.b_b")
        return params
    height, width = c.scene_shape
    if c.model == "fc":
        linear("fc.W_1", height * width * c.channels, c.fc_size, bias="fc.b_1")
        linear("fc.W_2", c.fc_size, c.fc_size, bias="fc.b_2")
    else:
        sides, channels = c.scene_shape, c.channels
        for number in filter_layers(config):
            inputs = c.filter_size**2 * channels
            weight, bias = f"conv.W_f{number}", f"conv.b_f{number}"
            linear(weight, inputs, c.num_filters, bias=bias)
            sides = [len(range(*filter_starts(side, config))) for side in sides]
            channels = c.num_filters
        linear("conv.W_h", math.prod(sides) * channels, c.fc_size, bias="conv.b_h")
    linear("action.W_a", c.fc_size, c.num_classes, gain=1.0, bias="action.b_a")
    return params


# Scenes


def compose(split, index, rng, config, augmented):
    """Return scenes (B, height, width, ...) in 0..1, placed pixel by pixel."""
    B, (height, width, *channels) = len(index), split.images.shape[1:]
    digits = [split.images[i].astype(float) for i in index]
    if augmented and config.deformation:
        displacements = config.deformation * rng.standard_normal((2, B, 16))
        digits = [deform(d, *displacements[:, b]) for b, d in enumerate(digits)]
    shift = config.max_shift if augmented and not config.canvas_size else 0
    shape = (height + 2 * shift, width + 2 * shift)
    if config.canvas_size:
        shape = (config.canvas_size, config.canvas_size)
    scenes = np.zeros((B, *shape, *channels))

    def corners(outer, inner):
        """Draw a place for each of B windows; both ends are included."""
        return [rng.integers(o - i + 1, size=B) for o, i in zip(outer, inner)]

    def add(patches):
        for b, (top, left) in enumerate(zip(*corners(shape, patches[0].shape))):
            for y, x in np.ndindex(patches[b].shape[:2]):
                scenes[b, top + y, left + x] += patches[b][y, x]

    add(digits)
    size = config.clutter_size
    for _ in range(config.num_clutter):
        others = rng.integers(len(split.images) - 1, size=B)
        others = [o + 1 if o >= i else o for o, i in zip(others, index)]
        tops, lefts = corners((height, width), (size, size))
        add(
            [
                split.images[o][top : top + size, left : left + size]
                for o, top, left in zip(others, tops, lefts)
            ]
        )
    if shift:
        scenes = scenes[:, shift:-shift, shift:-shift]
    return np.minimum(scenes, 255) / 255


def deform(image, down, right):
    """Return the image looked up at places moved by polynomials through a 4 x 4 grid."""
    height, width = image.shape[:2]
    points = [i / 3 for i in range(4)]

    def basis(i, u):
        others = [p for j, p in enumerate(points) if j != i]
        return math.prod((u - p) / (points[i] - p) for p in others)

    deformed = np.empty(image.shape)
    for row, column in np.ndindex(height, width):
        u, v = row / (height - 1), column / (width - 1)
        weights = [basis(i, u) * basis(j, v) for i in range(4) for j in range(4)]
        y = min(max(row + sum(w * d for w, d in zip(weights, down)), 0), height - 1)
        x = min(max(column + sum(w * d for w, d in zip(weights, right)), 0), width - 1)
        top, left = min(int(y), height - 2), min(int(x), width - 2)
        dy, dx = y - top, x - left
        upper = (1 - dx) * image[top, left] + dx * image[top, left + 1]
        lower = (1 - dx) * image[top + 1, left] + dx * image[top + 1, left + 1]
        deformed[row, column] = (1 - dy) * upper + dy * lower
    return deformed


# One row: one rollout of one image


def glimpse(image, location, config):
    """Return rho: means over cells, taken over halves of pixels."""
    size, rho = config.patch_size, []
    centre = [
        math.floor((l + 1) / 2 * side - size / 2 + 0.5) + size / 2
        for l, side in zip(location, reversed(image.shape[:2]))
    ]
    for j in range(config.num_scales):
        cell = config.scale_factor**j
        left, top = (c - size * cell / 2 for c in centre)
        for row, column in np.ndindex(size, size):
            total = np.zeros(image.shape[2:])
            for a, b in np.ndindex(2 * cell, 2 * cell):
                y = math.floor(top + row * cell + (a + 0.5) / 2)
                x = math.floor(left + column * cell + (b + 0.5) / 2)
                inside = 0 <= y < image.shape[0] and 0 <= x < image.shape[1]
                total += image[y, x] if inside else config.background
            rho.append(total / (4 * cell * cell))
    return np.ravel(rho)


def rectify(x):
    return x * (x.real > 0)


def bounded(x, bound):
    if bound == "tanh":
        return np.tanh(x)
    inside = (x.real > -1) & (x.real < 1)
    return np.where(inside, x, np.sign(x.real)) if bound == "hard-tanh" else x


def log_softmax(logits):
    shifted = logits - logits.real.max()
    return shifted - np.log(np.exp(shifted).sum())


class Row:
    """What an agent saw and did in one rollout of one image."""

    def __init__(self):
        self.rho, self.locations, self.h = [], [], []
        self.mu, self.baseline, self.logits = [], [], []


def look(params, image, config, locate=None, seen=None):
    """Return the Row of one image, each location being locate(t, mean of the policy).

    With `seen`, a Row, locations and glimpses are those, and h is its h wherever an
    option keeps a loss out of the core.
    """
    p, row = params, Row()
    if config.model != "ram":
        h = whole_image(p, image, config)
        row.logits.append(h @ p["action.W_a"] + p["action.b_a"])
        return row
    h = np.zeros(config.h_size)
    for t in range(config.num_glimpses):
        if seen:
            l, rho = seen.locations[t], seen.rho[t]
        else:
            l = locate(t, row.mu[-1] if t else None)
            rho = glimpse(image, l, config)
        hg = rectify(rho @ p["glimpse.W_hg"] + p["glimpse.b_hg"])
        hl = rectify(l @ p["glimpse.W_hl"] + p["glimpse.b_hl"])
        pair = np.concatenate([hg, hl])
        g = rectify(pair @ p["glimpse.W_g"] + p["glimpse.b_g"])
        h = rectify(h @ p["core.W_h"] + g @ p["core.W_g"] + p["core.b_h"])
        row.rho.append(rho)
        row.locations.append(l)
        row.h.append(h)
        row.logits.append(h @ p["action.W_a"] + p["action.b_a"])
        if t < config.num_glimpses - 1:
            z = seen.h[t] if seen and not config.policy_into_core else h
            if "location.W_hidden" in p:
                z = rectify(z @ p["location.W_hidden"] + p["location.b_hidden"])
            mu = z @ p["location.W_mu"] + p["location.b_mu"]
            row.mu.append(bounded(mu, config.locator_bound))
            z = seen.h[t] if seen and not config.baseline_into_core else h
            row.baseline.append((z @ p["baseline.W_b"] + p["baseline.b_b"])[0])
    return row


def filter_layers(config):
    """Return what follows the names of the parameters of each layer of filters."""
    return ["", *range(2, config.num_filter_layers + 1)]


def filter_starts(side, config):
    """Return the arguments of range at which filters are applied along a side."""
    return 0, side - config.filter_size + 1, config.filter_stride


def whole_image(p, image, config):
    """Return the last hidden layer of fc or conv."""
    if config.model == "fc":
        h = rectify(image.ravel() @ p["fc.W_1"] + p["fc.b_1"])
        return rectify(h @ p["fc.W_2"] + p["fc.b_2"])
    size, x = config.filter_size, image
    for number in filter_layers(config):
        W, b = p[f"conv.W_f{number}"], p[f"conv.b_f{number}"]
        rows, columns = (range(*filter_starts(side, config)) for side in x.shape[:2])
        patches = [[x[i : i + size, j : j + size] for j in columns] for i in rows]
        x = np.array([[rectify(q.ravel() @ W + b) for q in row] for row in patches])
    return rectify(x.ravel() @ p["conv.W_h"] + p["conv.b_h"])


def roll_out(params, images, rng, config, std, num_rollouts):
    """Return N Rows, row n of image n mod B; rng None draws nothing."""
    N = num_rollouts * len(images)
    T = config.num_glimpses if config.model == "ram" else 0
    draws = []
    for t in range(T):
        near = t == 0 and config.first_glimpse == "near-center"
        uniform = not near and (t == 0 or config.policy == "random")
        if rng is None or (t == 0 and config.first_glimpse == "center"):
            draws.append(np.zeros((N, 2)))
        elif uniform:
            draws.append(2 * rng.random((N, 2)) - 1)
        else:
            draws.append(std * rng.standard_normal((N, 2)))

    rows = []
    for n in range(N):

        def locate(t, mu, n=n):
            chosen = t > 0 and config.policy == "learned"
            return mu + draws[t][n] if chosen else draws[t][n]

        rows.append(look(params, images[n % len(images)], config, locate))
    return rows


# The hybrid loss and its gradient


def log_p(row, t, label):
    return log_softmax(row.logits[t])[label]


def returns_of(row, label, config):
    """Return R of each choice: what comes after it, discounted."""
    T = len(row.logits)
    if config.reward == "final":
        r = [0.0] * (T - 1) + [float(row.logits[-1].argmax() == label)]
    else:
        r = [log_p(row, t, label) for t in range(T)]
        if config.reward == "gain":
            r = [0.0] + [r[t] - r[t - 1] for t in range(1, T)]
    return [
        sum(config.discount ** (s - t - 1) * r[s] for s in range(t + 1, T))
        for t in range(T - 1)
    ]


def advantages_of(rows, R, n, B, config):
    """Return R - b of each choice of row n of rows that look at B images."""
    if config.baseline == "none":
        return R[n]
    if config.baseline == "learned":
        return [r - b for r, b in zip(R[n], rows[n].baseline)]
    others = [m for m in range(n % B, len(rows), B) if m != n]
    return [r - sum(R[m][t] for m in others) / len(others) for t, r in enumerate(R[n])]


def loss_of(row, label, R, advantage, config, std):
    """Return the terms of one row's loss: cross-entropy, policy, baseline."""
    T = len(row.logits)
    first = 0 if config.classify_every_step else T - 1
    cross_entropy = -sum(log_p(row, t, label) for t in range(first, T))
    policy = baseline = 0.0
    for t, (mu, b) in enumerate(zip(row.mu, row.baseline)):
        square = ((row.locations[t + 1] - mu) ** 2).sum()
        log_pi = -square / (2 * std**2) - math.log(2 * math.pi * std**2)
        if config.policy == "learned":
            policy -= config.policy_weight * advantage[t] * log_pi
        baseline += config.baseline_weight * (b - R[t]) ** 2
    return cross_entropy, policy, baseline


def gradient_of_batch(params, split, parts, rngs, config, std, augmented):
    """Return the gradient of a batch, and its sums for the row of metrics.

    parts: the digits of each shard. rngs: {"scenes": [...], "policy": [...]}, one
    generator for each shard.
    """
    episodes = []  # (row, image, label, R, advantage)
    for s, index in enumerate(parts):
        images = compose(split, index, rngs["scenes"][s], config, augmented)
        B, M = len(index), config.num_rollouts
        rows = roll_out(params, images, rngs["policy"][s], config, std, M)
        labels = [int(split.labels[index[n % B]]) for n in range(len(rows))]
        R = [returns_of(row, label, config) for row, label in zip(rows, labels)]
        for n, row in enumerate(rows):
            advantage = advantages_of(rows, R, n, B, config)
            episodes.append((row, images[n % B], labels[n], R[n], advantage))

    def total(moved):
        loss = 0.0
        for seen, image, label, R, advantage in episodes:
            row = look(moved, image, config, seen=seen)
            loss += sum(loss_of(row, label, R, advantage, config, std))
        return loss / len(episodes)

    gradient = {}
    for name, array in params.items():
        gradient[name] = np.empty(array.shape)
        for i in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[i] += 1j * STEP
            gradient[name][i] = total(params | {name: moved}).imag / STEP
    return gradient, sums_of(episodes, config, std)


def sums_of(episodes, config, std):
    """Return the sums over a batch from which the row of metrics is computed."""
    sums = dict.fromkeys(
        ("cross_entropy", "baseline_loss", "wrong", "saturated", "means", "rows"), 0
    )
    for row, _, label, R, advantage in episodes:
        cross_entropy, _, baseline = loss_of(row, label, R, advantage, config, std)
        classified = len(row.logits) if config.classify_every_step else 1
        sums["cross_entropy"] += cross_entropy / classified
        sums["baseline_loss"] += baseline
        sums["wrong"] += row.logits[-1].argmax() != label
        sums["saturated"] += sum(abs(x) > 0.95 for mu in row.mu for x in mu)
        sums["means"] += 2 * len(row.mu)
        sums["rows"] += 1
    return sums


# Evaluation


def evaluate(params, split, name, config, std, rollouts=1, sampled=True, chunk=250):
    """Return the errors in percent on frozen scenes, and the policy's diagnostics."""
    T = config.num_glimpses if config.model == "ram" else 1
    wrong, wrong_of_mean, first_rows, by_class = np.zeros(T), 0, [], {}
    wrong_at_last = []
    for start in range(0, len(split.labels), chunk):
        index = list(range(start, min(start + chunk, len(split.labels))))
        scenes_rng = np.random.default_rng([FROZEN_SEEDS[name], start])
        images = compose(split, index, scenes_rng, config, augmented=False)
        probabilities = 0
        for r in range(rollouts):
            seed = [config.seed, FROZEN_SEEDS[name], start, r]
            rng = np.random.default_rng(seed) if sampled else None
            rows = roll_out(params, images, rng, config, std, 1)
            p = [np.exp(log_softmax(row.logits[-1])) for row in rows]
            probabilities = probabilities + np.array(p)
            if r == 0:
                for row, i in zip(rows, index):
                    label = split.labels[i]
                    wrong += [logits.argmax() != label for logits in row.logits]
                    last = row.logits[-1].argmax() != label
                    by_class.setdefault(str(label), []).append(last)
                    wrong_at_last.append(last)
                    first_rows.append((row, returns_of(row, label, config)))
        wrong_of_mean += (probabilities.argmax(axis=1) != split.labels[index]).sum()
    per_cent = 100 / len(split.labels)
    return {
        "after_glimpse": [w * per_cent for w in wrong],
        "of_mean": wrong_of_mean * per_cent,
        "wrong": wrong_at_last,
        "class_errors": {name: 100 * np.mean(w) for name, w in by_class.items()},
        "behaviour": behaviour(first_rows),
    }


def behaviour(rows):
    """Return the diagnostics of Rows with their returns."""
    chosen = [l for row, _ in rows for l in row.locations[1:]]
    if not chosen:
        names = ("location_spread", "location_entropy", "first_return")
        return dict.fromkeys((*names, "explained_variance"), 0.0)
    cells = {}
    for l in chosen:
        cell = tuple(min(max(int((v + 1) / 2 * 10), 0), 9) for v in l)
        cells[cell] = cells.get(cell, 0) + 1
    shares = [count / len(chosen) for count in cells.values()]
    R = np.array([r for _, returns in rows for r in returns])
    b = np.array([b for row, _ in rows for b in row.baseline])
    return {
        "location_spread": math.sqrt(np.var(chosen, axis=0).mean()),
        "location_entropy": -sum(p * math.log2(p) for p in shares),
        "first_return": sum(returns[0] for _, returns in rows) / len(rows),
        "explained_variance": 1 - np.var(R - b) / np.var(R) if np.var(R) else 0.0,
    }


# Optimisation


def orthogonalized(G):
    """Return U p(p(p(Σ / |Σ|))) Vᵀ of G = UΣVᵀ."""
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    s = s / (math.sqrt((s * s).sum()) or 1.0)
    for _ in range(3):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return U * s @ Vt


class Reference:
    """A run, step by step and epoch by epoch."""

    def __init__(self, config, digits, muon_smallest_side=64, chunk=250):
        self.config, self.digits = config, digits
        self.muon_smallest_side, self.chunk = muon_smallest_side, chunk
        self.streams = streams_of(config)
        self.params = initial_params(config, self.streams["initialisation"][0])
        self.average = dict(self.params)
        self.first = {name: np.zeros(p.shape) for name, p in self.params.items()}
        self.second = {name: np.zeros(p.shape) for name, p in self.params.items()}
        self.count = len(digits.train.labels)
        self.order = self.streams["shuffling"][0].permutation(self.count)
        self.steps_per_epoch = -(-self.count // config.batch_size)
        self.position = self.num_steps = self.epoch = 0
        self.history, self.best, self.batches = [], None, []

    @property
    def progress(self):
        return self.num_steps / (self.config.epochs * self.steps_per_epoch)

    @property
    def std(self):
        first, last = self.config.location_std, self.config.final_location_std
        if not last:
            return first
        return first ** (1 - self.progress) * last**self.progress

    @property
    def rate(self):
        first = self.config.learning_rate
        last = first * self.config.final_rate
        if self.config.schedule == "linear":
            return first + (last - first) * self.progress
        if self.config.schedule == "cosine":
            cosine = math.cos(math.pi * self.progress)
            return last + (first - last) * (1 + cosine) / 2
        return first

    def next_gradient(self):
        """Return the gradient of the next batch of the epoch, and its sums."""
        c = self.config
        start = self.position * c.batch_size
        batch = self.order[start : start + c.batch_size]
        longer, extra = divmod(len(batch), c.num_shards)
        parts, first = [], 0
        for s in range(c.num_shards):
            size = longer + (s < extra)
            parts += [batch[first : first + size]] if size else []
            first += size
        plain_epochs = round(c.plain_share * c.epochs)
        augmented = self.epoch < c.epochs - plain_epochs
        return gradient_of_batch(
            self.params, self.digits.train, parts, self.streams, c, self.std, augmented
        )

    def step(self):
        c = self.config
        gradient, sums = self.next_gradient()
        self.batches.append((sums, norms_of(gradient)))
        norm = math.sqrt(sum((g * g).sum() for g in gradient.values()))
        if c.clip_norm and norm > c.clip_norm:
            gradient = {n: g * c.clip_norm / norm for n, g in gradient.items()}
        rate, momentum = self.rate, c.momentum
        self.num_steps += 1
        k = self.num_steps
        for name, g in gradient.items():
            w = self.params[name]
            if w.ndim == 2:
                w = w * (1 - rate * c.weight_decay)
            if c.optimizer == "sgd":
                self.first[name] = momentum * self.first[name] + g
                update = self.first[name]
            else:
                self.first[name] = momentum * self.first[name] + (1 - momentum) * g
                self.second[name] = 0.999 * self.second[name] + 0.001 * g * g
                m = self.first[name] / (1 - momentum**k)
                v = self.second[name] / (1 - 0.999**k)
                update = m / (np.sqrt(v) + 1e-8)
                large = w.ndim == 2 and min(w.shape) >= self.muon_smallest_side
                if c.optimizer == "muon" and large:
                    ahead = momentum * self.first[name] + (1 - momentum) * g
                    update = 0.2 * math.sqrt(max(w.shape)) * orthogonalized(ahead)
            self.params[name] = w - rate * update
        decay = min(c.average_decay, k / (k + 10)) if c.average_decay else 0.0
        for name, w in self.params.items():
            self.average[name] = decay * self.average[name] + (1 - decay) * w
        self.position += 1

    def end_epoch(self):
        """Validate, choose the best, and begin the next epoch; return the metrics."""
        c = self.config
        std = c.evaluation_location_std or self.std
        valid = evaluate(
            self.average, self.digits.valid, "valid", c, std, chunk=self.chunk
        )
        self.epoch += 1
        sums, norms = zip(*self.batches)
        total = {name: sum(s[name] for s in sums) for name in sums[0]}
        row = {
            "epoch": self.epoch,
            "step": self.num_steps,
            "cross_entropy": total["cross_entropy"] / total["rows"],
            "baseline_loss": total["baseline_loss"] / total["rows"],
            "train_error": 100 * total["wrong"] / total["rows"],
            "valid_error": valid["after_glimpse"][-1],
            "learning_rate": self.rate,
            "saturation": total["saturated"] / max(total["means"], 1),
            **valid["behaviour"],
            "gradient_norms": {
                network: sum(each[network] for each in norms) / len(norms)
                for network in norms[0]
            },
            "valid_error_after_glimpse": valid["after_glimpse"],
            "deterministic_minus_sampled": self.deterministic_minus_sampled(std),
        }
        self.history.append(row)
        if not self.best or row["valid_error"] < self.best[0]["valid_error"]:
            self.best = row, dict(self.average), std
        self.order = self.streams["shuffling"][0].permutation(self.count)
        self.position, self.batches = 0, []
        return row

    def deterministic_minus_sampled(self, std):
        """Return the difference of the errors of every fourth chunk, if M is 1."""
        c, split = self.config, self.digits.valid
        if c.model != "ram" or c.policy == "random":
            return 0.0
        every = {1: 4, 2: 2}.get(c.num_rollouts, 1)
        errors = []
        for sampled in (False, True):
            given = self.average, split, "valid", c, std, 1, sampled, self.chunk
            wrong = enumerate(evaluate(*given)["wrong"])
            kept = [w for i, w in wrong if i // self.chunk % every == 0]
            errors.append(100 * sum(kept) / len(kept))
        return errors[0] - errors[1]


def norms_of(gradient):
    """Return {network: norm of its gradient}."""
    squares = {}
    for name, g in gradient.items():
        network = name.split(".")[0]
        squares[network] = squares.get(network, 0.0) + (g * g).sum()
    return {network: math.sqrt(square) for network, square in squares.items()}
