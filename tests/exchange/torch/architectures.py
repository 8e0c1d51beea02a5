"""Architectures in plain PyTorch, as people write them, narrow so that they are quick."""

import math

import torch
from torch import nn
from torch.nn import functional


def seeded(make, *args, **kwargs):
    """A network in evaluation mode whose statistics and scales are not the initial ones."""
    torch.manual_seed(0)
    network = make(*args, **kwargs).eval()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
        if getattr(module, "bias", None) is not None and "Norm" in type(module).__name__:
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


# -- images ----------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, inner, outer, stride=1, shrinks=False):
        super().__init__()
        self.conv1 = nn.Conv2d(outer if not shrinks else inner[0], inner[1], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner[1])
        self.conv2 = nn.Conv2d(inner[1], inner[1], 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner[1])
        self.conv3 = nn.Conv2d(inner[1], outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inner[0], outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
            if shrinks
            else None
        )

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """With the depths and widths of ResNet-50 by default."""

    def __init__(self, depths=(3, 4, 6, 3), width=64, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = width
        for number, depth in enumerate(depths):
            inner = width << number
            blocks = [Bottleneck((before, inner), inner * 4, 2 if number else 1, True)]
            blocks += [Bottleneck((inner * 4, inner), inner * 4) for _ in range(depth - 1)]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
            before = inner * 4
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Vgg(nn.Module):
    def __init__(self, widths=(4, "M", 8, "M", 8, 8, "M"), classes=5):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            if width == "M":
                layers += [nn.MaxPool2d(2, 2)]
            else:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(True)]
                before = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(
            nn.Linear(before * 9, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, classes)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class DenseLayer(nn.Module):
    def __init__(self, before, growth):
        super().__init__()
        self.norm1, self.conv1 = (
            nn.BatchNorm2d(before),
            nn.Conv2d(before, growth * 2, 1, bias=False),
        )
        self.norm2 = nn.BatchNorm2d(growth * 2)
        self.conv2 = nn.Conv2d(growth * 2, growth, 3, padding=1, bias=False)

    def forward(self, features):
        x = torch.cat(features, 1)
        return self.conv2(functional.relu(self.norm2(self.conv1(functional.relu(self.norm1(x))))))


class DenseNet(nn.Module):
    def __init__(self, growth=4, depth=3):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.block1 = nn.ModuleList(DenseLayer(8 + i * growth, growth) for i in range(depth))
        wide = 8 + depth * growth
        self.transition = nn.Sequential(
            nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, 8, 1, bias=False), nn.AvgPool2d(2, 2)
        )
        self.block2 = nn.ModuleList(DenseLayer(8 + i * growth, growth) for i in range(depth))
        self.norm, self.classifier = nn.BatchNorm2d(wide), nn.Linear(wide, 5)

    def _dense(self, block, x):
        features = [x]
        for layer in block:
            features.append(layer(features))
        return torch.cat(features, 1)

    def forward(self, x):
        x = self.transition(self._dense(self.block1, functional.max_pool2d(self.stem(x), 3, 2, 1)))
        x = functional.relu(self.norm(self._dense(self.block2, x)), inplace=True)
        return self.classifier(functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class InceptionBlock(nn.Module):
    def __init__(self, before):
        super().__init__()

        def basic(i, o, k, **kwargs):
            return nn.Sequential(nn.Conv2d(i, o, k, bias=False, **kwargs), nn.BatchNorm2d(o, 1e-3))

        self.one = basic(before, 4, 1)
        self.seven = nn.Sequential(
            basic(before, 4, 1),
            basic(4, 4, (1, 7), padding=(0, 3)),
            basic(4, 4, (7, 1), padding=(3, 0)),
        )
        self.pooled = basic(before, 4, 1)
        self.down = basic(before, 4, 3, stride=1, padding=1)

    def forward(self, x):
        pool = functional.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        parts = [self.one(x), self.seven(x), self.pooled(pool), self.down(x)]
        return functional.relu(torch.cat(parts, 1))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.a, self.b = InceptionBlock(8), InceptionBlock(16)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.stack([x[:, 0] * 0.458 - 0.03, x[:, 1] * 0.448 - 0.08, x[:, 2] * 0.45 - 0.2], 1)
        x = functional.max_pool2d(self.a(self.stem(x)), 3, stride=2, ceil_mode=True)
        return self.fc(self.b(x).mean((2, 3)))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)
        self.scale = nn.Hardsigmoid()

    def forward(self, x):
        return self.scale(self.fc2(functional.relu(self.fc1(self.avgpool(x))))) * x


class InvertedResidual(nn.Module):
    def __init__(self, before, wide, after, stride, swish):
        super().__init__()
        act = nn.Hardswish if swish else nn.ReLU
        self.block = nn.Sequential(
            nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide, 1e-3), act(inplace=True),
            nn.Conv2d(wide, wide, 5, stride, 2, groups=wide, bias=False),
            nn.BatchNorm2d(wide, 1e-3), act(inplace=True), SqueezeExcitation(wide),
            nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after, 1e-3),
        )  # fmt: skip
        self.residual = stride == 1 and before == after

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class MobileNetV3(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()),
            InvertedResidual(8, 16, 8, 1, False),
            InvertedResidual(8, 24, 12, 2, True),
            InvertedResidual(12, 24, 12, 1, True),
        )
        self.classifier = nn.Sequential(
            nn.Linear(12, 16), nn.Hardswish(inplace=True), nn.Dropout(0.2), nn.Linear(16, 5)
        )

    def forward(self, x):
        return self.classifier(
            torch.flatten(functional.adaptive_avg_pool2d(self.features(x), 1), 1)
        )


class UNet(nn.Module):
    def __init__(self, bilinear=True):
        super().__init__()

        def double(i, o):
            return nn.Sequential(
                nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(2, o), nn.LeakyReLU(0.1, inplace=True),
                nn.Conv2d(o, o, 3, padding=1), nn.InstanceNorm2d(o, affine=True), nn.PReLU(o),
            )  # fmt: skip

        self.down1, self.down2, self.bottom = double(3, 4), double(4, 8), double(8, 8)
        self.up1 = (
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            if bilinear
            else nn.ConvTranspose2d(8, 8, 2, stride=2)
        )
        self.up2 = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.mix1, self.mix2 = double(16, 8), double(8, 4)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(functional.max_pool2d(a, 2))
        c = self.up1(self.bottom(functional.max_pool2d(b, 2)))
        rows, columns = b.shape[2] - c.shape[2], b.shape[3] - c.shape[3]
        c = functional.pad(c, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        d = self.up2(self.mix1(torch.cat([b, c], dim=1)))
        return torch.sigmoid(self.out(self.mix2(torch.cat([a, d], dim=1))))


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.act = nn.Linear(width, 4 * width), nn.GELU()
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(self.act(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 4, stride=4), LayerNorm2d(width, eps=1e-6))
        self.stage1 = nn.Sequential(ConvNeXtBlock(width), ConvNeXtBlock(width))
        self.down = nn.Sequential(LayerNorm2d(width, eps=1e-6), nn.Conv2d(width, 12, 2, stride=2))
        self.stage2 = ConvNeXtBlock(12)
        self.norm, self.head = nn.LayerNorm(12, eps=1e-6), nn.Linear(12, 5)

    def forward(self, x):
        x = self.stage2(self.down(self.stage1(self.stem(x))))
        return self.head(self.norm(x.mean([-2, -1])))


# -- attention -------------------------------------------------------------------------------------


class ViT(nn.Module):
    def __init__(self, width=16, depth=2, heads=4, patch=8, image=32):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, width * 2, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        return self.head(self.norm(self.encoder(x))[:, 0])


class GptBlock(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )
        self.heads, self.fused = heads, fused
        self.register_buffer("mask", torch.tril(torch.ones(32, 32)).view(1, 1, 32, 32))

    def attention(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            scores = scores.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
            y = functional.softmax(scores, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    def forward(self, x):
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self, fused=True, vocabulary=50, width=16):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(32, width)
        self.h = nn.ModuleList(GptBlock(width, 4, fused) for _ in range(2))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx):
        pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device)
        x = self.wte(idx) + self.wpe(pos)
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


# -- sequences -------------------------------------------------------------------------------------


class LstmTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.lstm = nn.LSTM(8, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(12, 4)

    def forward(self, words):
        states, _ = self.lstm(self.embedding(words))
        return functional.log_softmax(self.tags(states), dim=-1)


class GruClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 7, num_layers=2)
        self.fc = nn.Linear(7, 3)

    def forward(self, x):
        _, last = self.gru(x)
        return self.fc(last[-1])


class WaveNet(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.causal = nn.Conv1d(1, width, 2)
        self.gates = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(4))
        self.skips = nn.ModuleList(nn.Conv1d(width, 8, 1) for _ in range(4))
        self.residuals = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(4))
        self.end = nn.Sequential(nn.ReLU(), nn.Conv1d(8, 8, 1), nn.ReLU(), nn.Conv1d(8, 4, 1))

    def forward(self, x):
        x = self.causal(functional.pad(x, (1, 0)))
        total = 0
        for i, (gate, skip, residual) in enumerate(
            zip(self.gates, self.skips, self.residuals, strict=True)
        ):
            a, b = gate(functional.pad(x, (2**i, 0))).chunk(2, dim=1)
            y = torch.tanh(a) * torch.sigmoid(b)
            total = total + skip(y)
            x = x + residual(y)
        return self.end(total)


def image(*shape):
    return torch.randn(*(shape or (1, 3, 32, 32)), generator=torch.Generator().manual_seed(1))


def words(count, *shape):
    return torch.randint(0, count, shape, generator=torch.Generator().manual_seed(1))


NETWORKS = {
    "resnet": (lambda: seeded(ResNet, (2, 1, 1, 1), 4, 5), lambda: image(2, 3, 37, 33)),
    "vgg": (lambda: seeded(Vgg), lambda: image()),
    "densenet": (lambda: seeded(DenseNet), lambda: image()),
    "inception": (lambda: seeded(Inception), lambda: image()),
    "mobilenet_v3": (lambda: seeded(MobileNetV3), lambda: image()),
    "unet": (lambda: seeded(UNet), lambda: image(1, 3, 26, 36)),
    "unet_deconv": (lambda: seeded(UNet, False), lambda: image(1, 3, 24, 32)),
    "convnext": (lambda: seeded(ConvNeXt), lambda: image()),
    "vit": (lambda: seeded(ViT), lambda: image()),
    "gpt": (lambda: seeded(Gpt), lambda: words(50, 2, 9)),
    "gpt_masked": (lambda: seeded(Gpt, False), lambda: words(50, 1, 9)),
    "lstm_tagger": (lambda: seeded(LstmTagger), lambda: words(30, 2, 6)),
    "gru": (lambda: seeded(GruClassifier), lambda: image(5, 2, 5)),
    "wavenet": (lambda: seeded(WaveNet), lambda: image(1, 1, 40)),
}
"""Name -> what makes the network, and what makes its input."""
