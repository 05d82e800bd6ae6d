"""torchvision's crops and timm's mixing, with their random numbers replaced by listed ones.

Run in this folder.
"""

import base64
import json
import math
import pathlib
from unittest import mock

import numpy as np
import PIL
import timm
import torch
import torchvision
from PIL import Image
from timm.data import mixup
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as F

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(0)


def busy(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return (((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256).astype(np.uint8)


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def write(name, value):
    lines = ",\n".join(json.dumps(case) for case in value) if isinstance(value, list) else None
    text = f"[\n{lines}\n]\n" if lines else json.dumps(value, indent=0) + "\n"
    (HERE / name).write_text(text)


padded = []
for w, h, padding, fill in [(8, 8, 4, 0), (7, 5, 2, 255), (3, 3, 5, 9)]:
    end = 2 * padding
    for x, y in [(0, 0), (padding, padding), (end, 0), (1, end), (end, end)]:
        image = F.crop(F.pad(Image.fromarray(busy(w, h)), padding, fill=fill), y, x, h, w)
        case = {"width": w, "height": h, "padding": padding, "fill": fill, "x": x, "y": y}
        padded.append(case | {"levels": encoded(np.asarray(image))})
write("padded.json", padded)


def area(width, height, share, log_ratio, ratio=(3 / 4, 4 / 3)):
    """What torchvision cuts out when each of its ten tries draws these two numbers."""
    draws = [share, log_ratio] * 10
    placed = []

    def uniform(tensor, low, high):
        return tensor.fill_(draws.pop(0))

    def randint(low, high, size):
        placed.append(True)
        return torch.zeros(size, dtype=torch.int64)

    uniforms = mock.patch.object(torch.Tensor, "uniform_", uniform)
    with uniforms, mock.patch.object(torch, "randint", randint):
        image = Image.new("RGB", (width, height))
        y, x, h, w = RandomResizedCrop.get_params(image, [0.08, 1.0], list(ratio))
    return (x, y, w, h), bool(placed)


tries, centres = [], []
for width, height in [(32, 32), (64, 48), (500, 333), (7, 200), (200, 7), (1, 1), (5, 4)]:
    for _ in range(25):
        share = float(np.float32(rng.uniform(0.08, 1)))
        log_ratio = float(np.float32(rng.uniform(math.log(3 / 4), math.log(4 / 3))))
        (_, _, w, h), placed = area(width, height, share, log_ratio)
        ratio = torch.exp(torch.tensor([log_ratio])).item()
        case = {"width": width, "height": height, "share": share, "ratio": ratio}
        tries.append(case | {"size": [w, h] if placed else None})
    for low, high in [(3 / 4, 4 / 3), (1.0, 1.0), (0.3, 0.5), (2.5, 3.1)]:
        # A share of four pictures never fits.
        (x, y, w, h), placed = area(width, height, 4.0, 0.0, (low, high))
        assert not placed
        case = {"width": width, "height": height, "ratio-min": low, "ratio-max": high}
        centres.append(case | {"x": x, "y": y, "w": w, "h": h})
write("resized.json", {"tries": tries, "centres": centres})


N, C, H, W, K = 4, 3, 6, 7, 5
pixels = torch.from_numpy(rng.normal(0, 1, (N, C, H, W)).astype(np.float32))
classes = torch.tensor([3, 0, 0, 4])
cases = []
for cutmix, lam, centre in [
    (False, 0.25, None),
    (False, 0.7310585786300049, None),
    (True, 0.5, (3, 3)),
    (True, 0.3, (0, 0)),
    (True, 0.2, (6, 5)),
    (True, 0.9, (2, 4)),
    (True, 0.999, (3, 3)),
    (True, 0.001, (3, 2)),
]:
    mix = mixup.Mixup(mixup_alpha=1, cutmix_alpha=1, label_smoothing=0.1, num_classes=K)
    mix._params_per_batch = lambda: (lam, cutmix)
    places = list(reversed(centre or ()))  # timm draws y, then x.
    with mock.patch.object(np.random, "randint", lambda low, high, size: places.pop(0)):
        mixed, targets = mix(pixels.clone(), classes)
    case = {"lambda": lam, "corrected": lam, "patch": None}
    if cutmix:
        places = list(reversed(centre))
        with mock.patch.object(np.random, "randint", lambda low, high, size: places.pop(0)):
            (top, bottom, left, right), corrected = mixup.cutmix_bbox_and_lam((N, C, H, W), lam)
        patch = [int(v) for v in (left, right, top, bottom)]
        case |= {"x": centre[0], "y": centre[1], "patch": patch, "corrected": float(corrected)}
    cases.append(case | {"mixed": encoded(mixed.numpy()), "targets": encoded(targets.numpy())})
smoothed = mixup.mixup_target(classes, K, 1.0, 0.1)
write(
    "mix.json",
    {
        "pixels": encoded(pixels.numpy()),
        "classes": classes.tolist(),
        "smoothed": encoded(smoothed.numpy()),
        "cases": cases,
    },
)
modules = {"pillow": PIL, "torch": torch, "torchvision": torchvision, "timm": timm, "numpy": np}
(HERE / "versions.txt").write_text("".join(f"{k} {m.__version__}\n" for k, m in modules.items()))
