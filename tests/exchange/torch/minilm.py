"""MiniLM-L6, a BERT of six layers that embeds a sentence as a vector, in plain PyTorch."""

import json

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict({n: nn.Linear(width, width) for n in ("query", "key", "value")})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)}
        )

    def forward(self, x, mask):
        parts = [
            self.self[name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        ]
        y = functional.scaled_dot_product_attention(*parts, attn_mask=mask)
        y = self.output["dense"](y.transpose(1, 2).flatten(2))
        return self.output["LayerNorm"](x + y)


class Layer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.attention = Attention(width, heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict(
            {"dense": nn.Linear(inner, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)}
        )

    def forward(self, x, mask):
        x = self.attention(x, mask)
        y = self.output["dense"](functional.gelu(self.intermediate["dense"](x)))
        return self.output["LayerNorm"](x + y)


class Embeddings(nn.Module):
    def __init__(self, width, vocabulary, positions):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])
        x = self.word_embeddings(tokens) + self.position_embeddings(places)
        return self.LayerNorm(x + self.token_type_embeddings(torch.zeros_like(places)))


class MiniLM(nn.Module):
    """Maps tokens ``[N, T]`` and their mask to unit vectors ``[N, 384]``."""

    def __init__(self, width=384, heads=12, inner=1536, vocabulary=30522, positions=512):
        super().__init__()
        self.embeddings = Embeddings(width, vocabulary, positions)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(width, heads, inner) for _ in range(6))}
        )

    def forward(self, tokens, present):
        x = self.embeddings(tokens)
        mask = (present > 0)[:, None, None, :]
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        weights = present[:, :, None].to(x.dtype)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, dim=1)


def pretrained(path):
    """The network with the weights of a safetensors file."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    state = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + size + place for place in entry["data_offsets"])
            items = torch.frombuffer(bytearray(raw[begin:end]), dtype=torch.float32)
            state[name] = items.reshape(entry["shape"])
    network = MiniLM()
    found = network.load_state_dict(state, strict=False)
    assert not found.missing_keys
    return network.eval()


def tokenized(sentences, vocabulary):
    """Return sentences as the ids of their longest known pieces, and the mask of the tokens."""
    rows = []
    for sentence in sentences:
        pieces = ["[CLS]"]
        for word in sentence.lower().replace(".", " .").split():
            begin = 0
            while begin < len(word):
                prefix = "##" if begin else ""
                end = next(
                    e for e in range(len(word), begin, -1) if prefix + word[begin:e] in vocabulary
                )
                pieces.append(prefix + word[begin:end])
                begin = end
        rows.append([vocabulary[piece] for piece in [*pieces, "[SEP]"]])
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return tokens, (tokens > 0).long()
