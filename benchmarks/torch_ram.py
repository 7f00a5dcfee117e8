"""The same agent in idiomatic PyTorch: one nn.Module, autograd, a vectorised gather.

It takes square images, an even patch and a factor of 2 between scales, as all four
tasks do, and the losses of the recipes quick and paper.
"""

import torch
from torch import nn
from torch.nn import functional as F

BOUNDS = {"none": nn.Identity, "tanh": nn.Tanh, "hard-tanh": nn.Hardtanh}


class RAM(nn.Module):
    """The agent of a ramnp configuration."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        rho_size = config.num_scales * config.patch_size**2
        self.what = nn.Linear(rho_size, config.hg_size)
        self.where = nn.Linear(2, config.hl_size)
        self.glimpse = nn.Linear(config.hg_size + config.hl_size, config.g_size)
        self.core_in = nn.Linear(config.g_size, config.h_size)
        self.core_recurrent = nn.Linear(config.h_size, config.h_size, bias=False)
        hidden_size, self.hidden = config.locator_hidden_size, nn.Identity()
        if hidden_size:
            self.hidden = nn.Linear(config.h_size, hidden_size)
        self.mean = nn.Linear(hidden_size or config.h_size, 2)
        self.bound = BOUNDS[config.locator_bound]()
        self.action = nn.Linear(config.h_size, config.num_classes)
        self.baseline = nn.Linear(config.h_size, 1)

    def load(self, params):
        """Copy the weights of ramnp, whose W are (in, out)."""
        pairs = {
            self.what: ("glimpse", "hg"),
            self.where: ("glimpse", "hl"),
            self.glimpse: ("glimpse", "g"),
            self.core_in: ("core", "g"),
            self.core_recurrent: ("core", "h"),
            self.mean: ("location", "mu"),
            self.action: ("action", "a"),
            self.baseline: ("baseline", "b"),
        }
        if self.config.locator_hidden_size:
            pairs[self.hidden] = "location", "hidden"
        self.names = {}
        with torch.no_grad():
            for layer, (network, name) in pairs.items():
                layer.weight.copy_(torch.from_numpy(params[network][f"W_{name}"]).T)
                self.names[network, f"W_{name}"] = layer.weight
                if layer.bias is not None:
                    name = "h" if network == "core" else name
                    layer.bias.copy_(torch.from_numpy(params[network][f"b_{name}"]))
                    self.names[network, f"b_{name}"] = layer.bias

    def gradients(self):
        """Return {(network, name): array}, laid out as ramnp's."""
        return {key: tensor.grad.numpy().T for key, tensor in self.names.items()}

    def locator(self, h):
        """Return the mean of the policy."""
        h = h if self.config.policy_into_core else h.detach()
        if self.config.locator_hidden_size:
            h = F.relu(self.hidden(h))
        return self.bound(self.mean(h))

    def forward(self, images, num_rollouts=1):
        """Roll out; return locations, logits, mu and baseline, time-major."""
        config = self.config
        levels = pyramid(images, config.num_scales)
        levels = [level.repeat(num_rollouts, 1) for level in levels]
        N = num_rollouts * len(images)
        l = 2 * torch.rand(N, 2, dtype=images.dtype) - 1
        h = images.new_zeros(N, config.h_size)
        locations, hs, mus = [], [], []
        for t in range(config.num_glimpses):
            rho = look(levels, l, images.shape[-1], config.patch_size)
            pair = torch.cat([F.relu(self.what(rho)), F.relu(self.where(l))], dim=1)
            g = F.relu(self.glimpse(pair))
            h = F.relu(self.core_in(g) + self.core_recurrent(h))
            locations.append(l)
            hs.append(h)
            if t < config.num_glimpses - 1:
                mu = self.locator(h)
                mus.append(mu)
                l = mu.detach() + config.location_std * torch.randn_like(mu)
        h = torch.stack(hs)
        baseline = self.baseline(h[:-1].detach())[..., 0]
        return torch.stack(locations), self.action(h), torch.stack(mus), baseline

    def loss(self, images, labels):
        """Return the hybrid loss of the recipe, and its locations."""
        config = self.config
        locations, logits, mu, baseline = self(images, config.num_rollouts)
        labels = labels.repeat(config.num_rollouts)
        asked = logits if config.classify_every_step else logits[-1:]
        T, N = asked.shape[:2]
        cross_entropy = F.cross_entropy(
            asked.flatten(0, 1), labels.repeat(T), reduction="none"
        ).view(T, N)
        with torch.no_grad():
            if config.reward == "gain":
                rewards = cross_entropy[:-1] - cross_entropy[1:]
            else:
                rewards = torch.zeros_like(baseline)
                rewards[-1] = (logits[-1].argmax(-1) == labels).to(rewards.dtype)
            returns = [rewards[-1]]
            for reward in rewards[:-1].flip(0):
                returns.insert(0, reward + config.discount * returns[0])
            R = torch.stack(returns)
            advantage = R - baseline
        log_pi = -((locations[1:] - mu) ** 2).sum(-1) / (2 * config.location_std**2)
        loss = cross_entropy.sum() - config.policy_weight * (advantage * log_pi).sum()
        loss = loss + config.baseline_weight * ((baseline - R) ** 2).sum()
        return loss / N, locations


def pyramid(images, num_scales):
    """Return, per scale, the mean over the cell that starts at each place, flat."""
    levels = []
    for scale in range(num_scales):
        cell = 2**scale
        framed = F.pad(images[:, None], (cell, cell, cell, cell))
        levels.append(F.avg_pool2d(framed, cell, stride=1).flatten(1))
    return levels


def look(levels, l, side, patch_size):
    """Gather the glimpses at l (B, 2), scale by scale."""
    shift = l * (side / 2)
    corner = torch.copysign(torch.floor(shift.abs() + 0.5), shift)
    corner = ((side - patch_size) // 2 + corner).long()
    steps = torch.arange(patch_size)
    patches = []
    for scale, level in enumerate(levels):
        cell = 2**scale
        first = -patch_size * (cell - 1) // 2 + cell
        width = side + cell + 1
        place = (corner[:, :, None] + first + steps * cell).clamp(0, width - 1)
        index = place[:, 1, :, None] * width + place[:, 0, None, :]
        patches.append(level.gather(1, index.flatten(1)))
    return torch.cat(patches, dim=1)
