"""Writes tiny Parquet files in the Hugging Face image layout with pyarrow, and what they hold.

split/   train in two files and test in one; class names in the schema metadata
fine/    CIFAR-100's columns: img, fine_label, coarse_label
plain/   no class names anywhere
"""

import io
import json
import pathlib
import platform

import numpy as np
import PIL
import pyarrow
import pyarrow.parquet
from PIL import Image

HERE = pathlib.Path(__file__).parent
SIDE = 3


def pixels(number):
    """A picture whose bytes tell its number apart."""
    steps = np.arange(SIDE * SIDE * 3, dtype=int) * 7 + number * 31
    return (steps % 256).astype(np.uint8).reshape(SIDE, SIDE, 3)


def png(number):
    out = io.BytesIO()
    Image.fromarray(pixels(number)).save(out, "png")
    return out.getvalue()


def write(path, image, labels, names, numbers):
    """Writes one file; `labels` maps a column to its classes, `names` a column to its class names."""
    struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    rows = [{"bytes": png(n), "path": f"{n}.png"} for n in numbers]
    arrays = [pyarrow.array(rows, struct)] + [pyarrow.array(v, pyarrow.int64()) for v in labels.values()]
    table = pyarrow.table(arrays, names=[image, *labels])
    if names:
        features = {image: {"_type": "Image"}}
        features |= {column: {"names": n, "_type": "ClassLabel"} for column, n in names.items()}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (HERE / path).parent.mkdir(exist_ok=True)
    pyarrow.parquet.write_table(table, HERE / path, row_group_size=2)
    decoded = [np.asarray(Image.open(io.BytesIO(png(n)))).ravel().tolist() for n in numbers]
    return {"labels": labels, "names": names, "pixels": decoded}


animals = {"label": ["cat", "dog", "eel"]}
fine = {"fine_label": ["oak", "rose", "tulip"], "coarse_label": ["tree", "flower"]}
want = {
    "split/train-00000-of-00002.parquet": write(
        "split/train-00000-of-00002.parquet", "image", {"label": [2, 0, 1]}, animals, [0, 1, 2]
    ),
    "split/train-00001-of-00002.parquet": write(
        "split/train-00001-of-00002.parquet", "image", {"label": [1, 0]}, animals, [3, 4]
    ),
    "split/test-00000-of-00001.parquet": write(
        "split/test-00000-of-00001.parquet", "image", {"label": [0, 1, 2]}, animals, [5, 6, 7]
    ),
    "fine/test.parquet": write(
        "fine/test.parquet", "img", {"fine_label": [1, 0, 2], "coarse_label": [1, 0, 1]}, fine, [8, 9, 10]
    ),
    "plain/test.parquet": write("plain/test.parquet", "image", {"label": [0, 1]}, {}, [11, 12]),
}
(HERE / "want.json").write_text(json.dumps(want, indent=1) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\npyarrow {pyarrow.__version__}\n"
    f"pillow {PIL.__version__}\nnumpy {np.__version__}\n"
)
