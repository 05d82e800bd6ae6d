"""Pillow's scaling of 8-bit and of single-precision pictures, torchvision's Resize and CenterCrop.

Long results are stored as some rows in full and the sums of all rows and, unless they are many, of
all columns. Run in this folder, with Pillow 9 to 12 (`pip install "pillow<13"`): Pillow 13 scales
columns before rows where that is cheaper, which changes levels by 1.
"""

import base64
import json
import pathlib

import numpy as np
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

assert 9 <= int(PIL.__version__.split(".")[0]) <= 12, PIL.__version__
HERE = pathlib.Path(__file__).parent
FILTERS = {
    "box": (Image.Resampling.BOX, InterpolationMode.BOX),
    "bilinear": (Image.Resampling.BILINEAR, InterpolationMode.BILINEAR),
    "bicubic": (Image.Resampling.BICUBIC, InterpolationMode.BICUBIC),
    "lanczos": (Image.Resampling.LANCZOS, InterpolationMode.LANCZOS),
}
SIZES = [
    # from, to
    ((32, 32), (299, 299)),
    ((64, 64), (8, 8)),
    ((256, 256), (299, 299)),
    ((100, 75), (64, 64)),
    ((8, 8), (32, 32)),
    ((1, 7), (5, 3)),
    ((7, 1), (3, 5)),
    ((1, 1), (4, 6)),
    ((33, 17), (1, 1)),
    ((33, 17), (17, 33)),
    ((33, 17), (33, 9)),
    ((33, 17), (12, 17)),
    ((33, 17), (33, 17)),
    ((97, 53), (31, 29)),
    ((500, 3), (7, 90)),
    ((9, 40), (20, 15)),
]


def busy(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return (((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256).astype(np.uint8)


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def some_rows(width, height):
    if width * height <= 200:
        return list(range(height))
    return sorted({0, height // 3, height - 1}) if width < 200 else [height // 3]


levels, floats = [], []
for (w, h), (to_w, to_h) in SIZES:
    source = busy(w, h)
    for name, (pil, _) in FILTERS.items():
        rows = some_rows(to_w, to_h)
        case = {"from-width": w, "from-height": h, "width": to_w, "height": to_h}
        case |= {"filter": name, "rows": rows}
        got = np.asarray(Image.fromarray(source).resize((to_w, to_h), pil))
        flat = got.reshape(to_h, -1)
        sums = [flat.sum(axis, dtype=int).tolist() for axis in (1, 0)]
        case_sums = {"row-sums": sums[0], "column-sums": sums[1] if to_w < 200 else None}
        levels.append(case | {"levels": encoded(flat[rows])} | case_sums)

        channels = [Image.fromarray(source[..., c].astype(np.float32)) for c in range(3)]
        assert all(image.mode == "F" for image in channels)
        planes = np.stack([np.asarray(image.resize((to_w, to_h), pil)) for image in channels])
        chosen = planes[:, rows].transpose(1, 0, 2).astype("<f4")
        floats.append(case | {"levels": encoded(chosen)})

FITS = [
    # from, to
    ((32, 32), 16),
    ((45, 31), 12),
    ((31, 45), 12),
    ((9, 40), 10),
    ((20, 37), 20),
    ((23, 20), 7),
    ((50, 49), 13),
    ((1, 3), 4),
    ((16, 16), 16),
]
fits = []
for (w, h), size in FITS:
    image = Image.fromarray(busy(w, h))
    for name, (_, mode) in FILTERS.items():
        case = {"width": w, "height": h, "size": size, "filter": name}
        crop = Compose([Resize(size, mode), CenterCrop(size)])(image)
        stretch = Resize((size, size), mode)(image)
        fits.append(case | {"fit": "crop-centre", "levels": encoded(crop)})
        fits.append(case | {"fit": "stretch", "levels": encoded(stretch)})

for name, cases in {"levels": levels, "float": floats, "fit": fits}.items():
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")
modules = {"pillow": PIL, "torchvision": torchvision, "numpy": np}
(HERE / "versions.txt").write_text("".join(f"{k} {m.__version__}\n" for k, m in modules.items()))
