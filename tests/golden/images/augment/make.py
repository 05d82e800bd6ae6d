"""torchvision's crops, timm's changes, erasing and mixing, with their random numbers replaced by listed
ones.

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
from timm.data import auto_augment, mixup, random_erasing
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


def graded(width, height, scale, offset):
    """busy() with its levels squeezed into a range."""
    return (busy(width, height).astype(np.uint32) * scale // 256 + offset).astype(np.uint8)


PLAIN = (256, 0)
FEW = (40, 90)
ONE = (0, 77)
changes = []


def change(name, argument, size, levels=PLAIN, interpolation="bicubic"):
    image = Image.fromarray(graded(*size, *levels))
    arguments = [] if argument is None else [argument]
    resample = getattr(Image.Resampling, interpolation.upper())
    options = {"fillcolor": (124, 116, 104), "resample": resample}
    out = auto_augment.NAME_TO_OP[name](image, *arguments, **options)
    case = {"change": name, "argument": argument, "width": size[0], "height": size[1]}
    case |= {"scale": levels[0], "offset": levels[1], "interpolation": interpolation}
    changes.append(case | {"levels": encoded(np.asarray(out))})


for size in [(8, 8), (19, 14), (33, 32)]:
    for levels in [PLAIN, FEW]:
        for name in ["AutoContrast", "Equalize", "Invert"]:
            change(name, None, size, levels)
for name in ["AutoContrast", "Equalize"]:
    change(name, None, (20, 15), ONE)
for bits in [1, 2, 4, 8]:
    change("Posterize", bits, (9, 7))
for threshold in [0, 26, 128, 256]:
    change("Solarize", threshold, (9, 7))
for add in [0, 11, 110, 128]:
    change("SolarizeAdd", add, (9, 7))
for name in ["Color", "Contrast", "Brightness", "Sharpness"]:
    for factor in [0.0, 0.1, 0.37, 1.0, 1.9, 2.8]:
        for size in [(9, 7), (2, 3)]:
            change(name, factor, size)
# A mean whose rounding shows.
change("Contrast", 0.5, (17, 11), FEW)
for interpolation in ["bilinear", "bicubic"]:
    for size in [(8, 8), (15, 10)]:
        for degrees in [0.0, 9.3, -27.0, 30.0, 45.0]:
            change("Rotate", degrees, size, PLAIN, interpolation)
        for name in ["ShearX", "ShearY"]:
            for factor in [0.0, 0.27, -0.3, 0.45]:
                change(name, factor, size, PLAIN, interpolation)
        for name in ["TranslateXRel", "TranslateYRel"]:
            for share in [0.0, 0.405, -0.45, 0.125]:
                change(name, share, size, PLAIN, interpolation)
write("changes.json", changes)


strengths = []
for scale, names in [
    ("increasing", auto_augment._RAND_INCREASING_TRANSFORMS),
    ("efficientnet", auto_augment._RAND_TRANSFORMS),
]:
    for magnitude in [0.0, 0.3, 4.999, 5.0, 8.7, 9.0, 10.0, 15.0]:
        if scale == "increasing" and magnitude > 10.0:
            continue  # timm asks for a negative number of bits and of levels.
        for sign in [1, -1]:
            with mock.patch.object(auto_augment.random, "random", lambda: 0.0 if sign > 0 else 1.0):
                levels = [auto_augment.LEVEL_TO_ARG[name] for name in names]
                arguments = [level(magnitude, {})[0] if level else None for level in levels]
            case = {"scale": scale, "magnitude": magnitude, "sign": sign}
            strengths.append(case | {"names": names, "arguments": arguments})
write("strengths.json", strengths)


def erased(height, width, share, log_ratio):
    """What timm erases when each of its tries draws these two numbers."""
    draws = [share, log_ratio] * 10
    eraser = random_erasing.RandomErasing(probability=1.0, mode="const", device="cpu")
    uniform = mock.patch.object(random_erasing.random, "uniform", lambda low, high: draws.pop(0))
    place = mock.patch.object(random_erasing.random, "randint", lambda low, high: low)
    with uniform, place:
        zeros = (eraser(torch.ones(1, height, width)) == 0)[0]
    if not zeros.any():
        return None
    return [int(zeros.any(1).sum()), int(zeros.any(0).sum())]


parts = []
for height, width in [(8, 8), (32, 32), (16, 12), (224, 160)]:
    for _ in range(20):
        share = rng.uniform(0.02, 1 / 3)
        log_ratio = rng.uniform(math.log(0.3), -math.log(0.3))
        case = {"height": height, "width": width, "share": share, "ratio": math.exp(log_ratio)}
        parts.append(case | {"size": erased(height, width, share, log_ratio)})
    case = {"height": height, "width": width, "share": 0.9, "ratio": 3.0}
    parts.append(case | {"size": erased(height, width, 0.9, math.log(3.0))})
write("erasing.json", parts)
modules = {"pillow": PIL, "torch": torch, "torchvision": torchvision, "timm": timm, "numpy": np}
(HERE / "versions.txt").write_text("".join(f"{k} {m.__version__}\n" for k, m in modules.items()))
