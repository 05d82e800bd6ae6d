"""Golden data of ResNet-RS, computed by timm.

Weights are numbers of ../formula.py; only what comes out is stored.
"""

import sys

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import hashlib
import json
import pathlib
from functools import partial

import timm
import torch
from timm.layers import get_attn
from timm.models.resnet import Bottleneck, ResNet
from torch import nn

from formula import measure, numbers, write

torch.manual_seed(0)


def small(width, blocks, channels, classes, cifar):
    """The arguments of timm's `resnetrs50`, narrower and shallower; without its strides before the first
    stage for small pictures."""
    net = ResNet(
        Bottleneck,
        blocks,
        num_classes=classes,
        in_chans=channels,
        channels=tuple(width << i for i in range(4)),
        base_width=64,
        stem_width=width // 2,
        stem_type="deep",
        replace_stem_pool=True,
        avg_down=True,
        block_args=dict(attn_layer=partial(get_attn("se"), rd_ratio=0.25)),
    )
    if cifar:
        net.conv1[0].stride = (1, 1)
        net.maxpool = nn.Identity()
    return net


def features(net, x):
    return net.forward_head(net.forward_features(x), pre_logits=True)


def case(net, n, channels, pixels, train=True):
    x = numbers("pictures", (n, channels, pixels, pixels))
    return {"input": [n, channels, pixels, pixels], **measure(net, features, x, train)}


write(
    __file__,
    {
        # 72 pixels: maps of 36, 18, 9, 5 and 3, so that pools have an edge left over. Three pictures: with
        # four, some ReLU stands so near its corner that noise of 3e-7 on the pixels changes torch's own
        # gradient by 2 % in 4 of 40 draws; with three, by 1.3e-5 at most.
        "resnet-rs-50-w4-b1.1.2.1": case(small(4, (1, 1, 2, 1), 3, 5, False), 3, 3, 72),
        "resnet-rs-50-cifar-w8-b2.1.1.1": case(small(8, (2, 1, 1, 1), 1, 5, True), 4, 1, 16),
        "resnet-rs-50": case(timm.create_model("resnetrs50", num_classes=10), 2, 3, 64, False),
    },
    timm,
)

# Of the published sizes: how many tensors and numbers, and a hash of all names with their shapes.
outlines = {}
for depth in (50, 101, 152, 200, 270, 350, 420):
    with torch.device("meta"):
        net = timm.create_model(f"resnetrs{depth}")
    state = {n: list(t.shape) for n, t in net.state_dict().items() if t.is_floating_point()}
    lines = "".join(f"{name} {state[name]}\n" for name in sorted(state))
    outlines[f"resnet-rs-{depth}"] = {
        "tensors": len(state),
        "parameters": sum(p.numel() for p in net.parameters()),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
folder = pathlib.Path(__file__).resolve().parent
(folder / "outlines.json").write_text(json.dumps(outlines, indent=1) + "\n")
