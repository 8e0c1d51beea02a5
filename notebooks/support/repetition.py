"""A transformer that continues letters which repeat, and how it was trained.

``python repetition.py`` trains it again, in about a minute, and stores its weights.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WEIGHTS = Path(__file__).parents[1] / "models" / "repetition.npz"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTH, WIDTH, HEADS = 24, 48, 2


class Attention(nn.Module):
    """Each place mixes what is at the places before it, in two heads."""

    def __init__(self):
        super().__init__()
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        future = torch.triu(torch.full((LENGTH, LENGTH), -1e4), 1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x):
        parts = self.queries_keys_values(x).chunk(3, dim=2)
        q, k, v = (p.unflatten(2, (HEADS, -1)).transpose(1, 2) for p in parts)
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        looks_at = (scores + self.future).softmax(dim=3)
        return self.out((looks_at @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, and a layer for each place by itself; both are added to their inputs."""

    def __init__(self):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.each = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.each(self.norm2(x))


class Repetition(nn.Module):
    """Letters ``[N, 24]``, as numbers, to the scores ``[N, 24, 26]`` of the letter after each."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        self.block1, self.block2 = Block(), Block()
        self.norm, self.scores = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(LETTERS))

    def forward(self, letters):
        x = self.letters(letters) + self.places
        return self.scores(self.norm(self.block2(self.block1(x))))


def repeating(count, generator):
    """Random letters that repeat after 6 to 11 places, and that number."""
    period = torch.randint(6, 12, (count, 1), generator=generator)
    letters = torch.randint(len(LETTERS), (count, LENGTH), generator=generator)
    return letters.gather(1, torch.arange(LENGTH) % period), period


def trained(steps=2000):
    """Return a network that was trained to continue the letters, from where they repeat."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network, generator = Repetition(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        letters, period = repeating(64, generator)
        known = torch.arange(1, LENGTH) >= period
        scores = network(letters)[:, :-1]
        loss = functional.cross_entropy(scores[known], letters[:, 1:][known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            right = (scores.argmax(2) == letters[:, 1:])[known].float().mean()
            print(f"step {step + 1}: {right:.1%} right", flush=True)
    return network


def pretrained():
    """Return the network with the stored weights."""
    network = Repetition()
    with np.load(WEIGHTS) as stored:
        weights = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored}
    network.load_state_dict(weights)
    return network.eval()


if __name__ == "__main__":
    weights = trained().state_dict()
    # Half precision is enough for them.
    np.savez_compressed(WEIGHTS, **{n: w.numpy().astype(np.float16) for n, w in weights.items()})
