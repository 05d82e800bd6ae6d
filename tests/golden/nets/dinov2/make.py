"""Golden data of DINOv2.

Files of transformers (`Dinov2Model`, saved and loaded by it) are run by transformers. Files of the
facebook hub are run by timm's vision transformer, which has the same names and layers, on position
embeddings resized as the hub code does (facebookresearch/dinov2, `interpolate_pos_encoding`): by
`scale_factor`, with 0.1 added to the number of patches. Weights are numbers of ../formula.py.
"""

import json
import pathlib
import sys
import tempfile

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import timm
import torch
import transformers
from timm.models.vision_transformer import VisionTransformer
from torch.nn.functional import interpolate
from transformers import Dinov2Config, Dinov2Model

from formula import count, forward, listed, numbers, reload, weight, write

transformers.logging.set_verbosity_error()
TRAINED = 28  # Pixels of the tiny nets, of 7 x 7 patches.


def sizes(features, heads, depth, patch):
    return {"features": features, "heads": heads, "depth": depth, "patch": patch}


def pictures(n, pixels):
    return numbers("pictures", (n, 3, pixels, pixels))


class Token(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(pixel_values=x).pooler_output


def huggingface(size, n, pixels):
    config = Dinov2Config(
        hidden_size=size["features"],
        num_hidden_layers=size["depth"],
        num_attention_heads=size["heads"],
        patch_size=size["patch"],
        image_size=TRAINED,
    )
    with tempfile.TemporaryDirectory() as folder:
        net, shapes = reload(Dinov2Model(config), folder)
    out = forward(Token(net), pictures(n, pixels))
    return {**size, "input": [n, pixels], "positions": "size", **out, "shapes": shapes}


def resized(positions, patches):
    """The hub's formula."""
    side = round((positions.shape[1] - 1) ** 0.5)
    if patches == side:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factor = (patches + 0.1) / side
    grid = interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    assert grid.shape[2:] == (patches, patches)
    return torch.cat([positions[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def transformer(size, pixels):
    return VisionTransformer(
        img_size=pixels,
        patch_size=size["patch"],
        num_classes=0,
        embed_dim=size["features"],
        depth=size["depth"],
        num_heads=size["heads"],
        init_values=1.0,
    )


def hub(size, n, pixels):
    shapes = {k: list(v.shape) for k, v in transformer(size, TRAINED).state_dict().items()}
    state = {name: weight(name, shape) for name, shape in shapes.items()}
    state["pos_embed"] = resized(state["pos_embed"], pixels // size["patch"])
    net = transformer(size, pixels).eval()
    net.load_state_dict(state)
    shapes["mask_token"] = [1, size["features"]]
    out = forward(net, pictures(n, pixels))
    return {**size, "input": [n, pixels], "positions": "offset", **out, "shapes": shapes}


def positions():
    """Position embeddings of 37 x 37 and 7 x 7 patches at other sizes, as both codes resize them."""
    rows = []
    for side, patches in [(37, 16), (37, 8), (37, 36), (37, 37), (37, 41), (7, 4), (7, 1), (7, 16)]:
        embedding = weight("pos_embed", (1, side * side + 1, 2))
        grid = embedding[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        size = interpolate(grid, size=(patches, patches), mode="bicubic", align_corners=False)
        size = torch.cat([embedding[:, :1], size.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
        # A checksum of many numbers would hide an error; of large grids every seventh is kept.
        kept = [listed(numbers[::7]) for numbers in (size.flatten(), resized(embedding, patches).flatten())]
        rows.append({"side": side, "patches": patches, "size": kept[0], "offset": kept[1]})
    return rows


torch.manual_seed(0)
a, b = sizes(24, 3, 2, 4), sizes(16, 2, 3, 4)
cases = {
    "huggingface-28": huggingface(a, 2, 28),  # As trained: nothing is resized.
    "huggingface-16": huggingface(a, 3, 16),
    "huggingface-40": huggingface(b, 2, 40),
    "hub-28": hub(a, 2, 28),
    "hub-16": hub(a, 3, 16),
    "hub-40": hub(b, 2, 40),
}
write(__file__, cases, transformers, timm)
folder = pathlib.Path(__file__).resolve().parent
(folder / "positions.json").write_text(json.dumps(positions()) + "\n")


def named(features, heads, depth):
    config = Dinov2Config(
        hidden_size=features,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        image_size=518,
        use_mask_token=False,
    )
    return lambda: Dinov2Model(config)


count(
    __file__,
    {
        "dinov2-s": (384, named(384, 6, 12)),
        "dinov2-b": (768, named(768, 12, 12)),
        "dinov2-l": (1024, named(1024, 16, 24)),
    },
)
