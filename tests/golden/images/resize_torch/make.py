"""Scaling as the packages do it that compute FID, to 299 x 299 pixels and some other sizes.

- torch-bilinear: pytorch-fid, `interpolate(mode="bilinear", align_corners=False)` on 0 to 1
- tf1: torch-fidelity, `interpolate_bilinear_2d_like_tensorflow1x` on grey levels
- pil-bicubic-f32: clean-fid, `make_resizer("PIL", False, "bicubic", ...)` on grey levels

Of every result some rows are stored, as grey levels. And what a level becomes afterwards. Run in
this folder (`pip install torch torchvision transformers torch-fidelity clean-fid`).
"""

import base64
import json
import pathlib
from importlib.metadata import version

import numpy as np
import torch
import torchvision
from cleanfid.resize import make_resizer
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchvision.transforms.functional import normalize
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

HERE = pathlib.Path(__file__).parent
SIZES = [
    # from, to
    ((32, 32), (299, 299)),
    ((64, 64), (299, 299)),
    ((100, 75), (299, 299)),
    ((256, 256), (299, 299)),
    ((400, 350), (299, 299)),
    ((1000, 37), (299, 299)),
    ((299, 299), (299, 299)),
    ((1, 1), (5, 3)),
    ((40, 9), (20, 15)),
]


def busy(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return (((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256).astype(np.uint8)


def torch_bilinear(levels, width, height):
    x = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255
    x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", align_corners=False)
    return (x[0].double() * 255).numpy()


def tf1(levels, width, height):
    x = torch.from_numpy(levels).permute(2, 0, 1)[None].float()
    return interpolate_bilinear_2d_like_tensorflow1x(x, (height, width), align_corners=False)[0].numpy()


def pil_bicubic_f32(levels, width, height):
    return make_resizer("PIL", False, "bicubic", (width, height))(levels).transpose(2, 0, 1)


names = {"torch-bilinear": torch_bilinear, "tf1": tf1, "pil-bicubic-f32": pil_bicubic_f32}
cases = []
for (w, h), (to_w, to_h) in SIZES:
    for name, scale in names.items():
        planes = scale(busy(w, h), to_w, to_h)
        assert planes.shape == (3, to_h, to_w)
        rows = sorted({to_h // 3, to_h - 1})
        chosen = planes[:, rows].transpose(1, 0, 2).astype("<f4")
        encoded = base64.b64encode(np.ascontiguousarray(chosen).tobytes()).decode()
        sizes = {"from-width": w, "from-height": h, "width": to_w, "height": to_h}
        cases.append({"resize": name, **sizes, "rows": rows, "levels": encoded})

# What a grey of level 128 becomes: torchvision's Normalize on 0 to 1, and what two tools compute.
grey = torch.full((3, 1, 1), 128.0)
known = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
scalings = {
    "(x-128)/128": (grey - 128) / 128,  # torch-fidelity, feature_extractor_inceptionv3.py
    "2x-1": 2 * (grey / 255) - 1,  # pytorch-fid, inception.py
    "imagenet": normalize(grey / 255, known.mean, known.std),
    "clip": normalize(grey / 255, OPENAI_CLIP_MEAN, OPENAI_CLIP_STD),
}
scalings = {name: value.flatten().tolist() for name, value in scalings.items()}
(HERE / "scalings.json").write_text(json.dumps(scalings, indent=1) + "\n")

lines = ",\n".join(json.dumps(case) for case in cases)
(HERE / "cases.json").write_text(f"[\n{lines}\n]\n")
packages = ["torch", "torchvision", "transformers", "torch-fidelity", "clean-fid", "pillow", "numpy"]
(HERE / "versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in packages))
