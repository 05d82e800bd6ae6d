"""Golden data of vision transformers, computed by timm.

Weights are numbers of ../formula.py; only what comes out is stored.
"""

import sys

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import json
import pathlib

import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer

from formula import count, listed, measure, numbers, write

torch.manual_seed(0)


def features(net, x):
    return net.forward_head(net.forward_features(x), pre_logits=True)


def case(net, n, channels, pixels, train=True):
    x = numbers("pictures", (n, channels, pixels, pixels))
    return {"input": [n, channels, pixels, pixels], **measure(net, features, x, train)}


def small(pixels, patch, channels, heads, depth):
    return VisionTransformer(
        img_size=pixels,
        patch_size=patch,
        in_chans=channels,
        num_classes=5,
        embed_dim=24,
        depth=depth,
        num_heads=heads,
    )


deit = timm.create_model("deit_tiny_patch16_224", pretrained=False, num_classes=10)
write(
    __file__,
    {
        "vit-ti-p4-f24-d2": case(small(16, 4, 3, 3, 2), 3, 3, 16),
        "vit-ti-p2-f24-h2-d3": case(small(8, 2, 1, 2, 3), 3, 1, 8),
        "vit-ti-p16": case(deit, 1, 3, 224, False),
    },
    timm,
)

sizes = {"vit-ti": "tiny", "vit-s": "small", "vit-b": "base"}
large = "vit_large_patch16_224"
names = {**{ours: f"deit_{theirs}_patch16_224" for ours, theirs in sizes.items()}, "vit-l": large}
count(
    __file__,
    {ours: (1000, lambda name=name: timm.create_model(name)) for ours, name in names.items()},
)

# Position embeddings of another grid: 224 to 384 pixels is 14 to 24 patches.
cases = []
for d, before, after in [(1, 14, 24), (2, 4, 6), (3, 6, 4), (2, 7, 2), (2, 3, 3), (2, 1, 2), (2, 8, 3)]:
    given = numbers("pos_embed", (1, before * before + 1, d))
    out = resample_abs_pos_embed(given, [after, after], num_prefix_tokens=1)
    cases.append({"d": d, "from": before, "to": after, "embeddings": listed(out)})
path = pathlib.Path(__file__).resolve().parent / "positions.json"
path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
