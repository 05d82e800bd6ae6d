"""torchvision's ToTensor and Normalize, and Pillow's luma. Run in this folder."""

import base64
import json
import pathlib

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import Compose, Normalize, PILToTensor, ToTensor

HERE = pathlib.Path(__file__).parent


def busy(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return (((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256).astype(np.uint8)


picture = Image.fromarray(busy(19, 14))
normalised = lambda mean, std: Compose([ToTensor(), Normalize(mean, std)])(picture)
want = {
    "signed": PILToTensor()(picture).float() / 127.5 - 1,
    "unit": ToTensor()(picture),
    "imagenet": normalised((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": normalised((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "grey-unit": ToTensor()(picture.convert("L")),
}
encoded = {k: base64.b64encode(v.numpy().astype("<f4").tobytes()).decode() for k, v in want.items()}
(HERE / "range.json").write_text(json.dumps(encoded, indent=0) + "\n")
modules = {"pillow": PIL, "torch": torch, "torchvision": torchvision, "numpy": np}
(HERE / "versions.txt").write_text("".join(f"{k} {m.__version__}\n" for k, m in modules.items()))
