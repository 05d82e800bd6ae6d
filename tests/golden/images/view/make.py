"""What torchvision shows of a square test picture: Resize(int(pixels / centre)), CenterCrop(pixels).

Run in this folder.
"""

import base64
import json
import pathlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

HERE = pathlib.Path(__file__).parent
FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def busy(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return (((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256).astype(np.uint8)


cases = []
for side, pixels, centre in [(8, 7, 0.875), (32, 28, 0.875), (32, 20, 0.875), (16, 24, 0.95), (20, 13, 1.0)]:
    for name, mode in FILTERS.items():
        transform = Compose([Resize(int(pixels / centre), mode), CenterCrop(pixels)])
        levels = np.asarray(transform(Image.fromarray(busy(side, side))))
        case = {"side": side, "pixels": pixels, "centre": centre, "filter": name}
        cases.append(case | {"levels": base64.b64encode(levels.tobytes()).decode()})
(HERE / "view.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
modules = {"pillow": PIL, "torchvision": torchvision, "numpy": np}
(HERE / "versions.txt").write_text("".join(f"{k} {m.__version__}\n" for k, m in modules.items()))
