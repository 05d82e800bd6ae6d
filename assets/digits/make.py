"""Makes digits.png and labels.txt from a table of the UCI optical digits.

usage: python make.py TABLE

TABLE is a CSV file, plain or gzip, without a header: 64 values 0..16 and the label, one digit a row.
"""

import csv
import gzip
import pathlib
import sys

import numpy as np
from PIL import Image

SIDE = 8
COLUMNS = 43

table = pathlib.Path(sys.argv[1])
opener = gzip.open if table.suffix == ".gz" else open
with opener(table, "rt") as file:
    rows = np.array([[float(value) for value in row] for row in csv.reader(file)]).astype(int)
values, labels = rows[:, :-1], rows[:, -1]
assert values.shape[1] == SIDE * SIDE and values.min() >= 0 and values.max() <= 16

grey = np.rint(values * 255 / 16).astype(np.uint8)
assert (np.rint(grey.astype(float) * 16 / 255) == values).all()
sheet_rows = -(-len(rows) // COLUMNS)
tiles = np.zeros((sheet_rows * COLUMNS, SIDE, SIDE), np.uint8)
tiles[: len(rows)] = grey.reshape(-1, SIDE, SIDE)
sheet = tiles.reshape(sheet_rows, COLUMNS, SIDE, SIDE).swapaxes(1, 2)

here = pathlib.Path(__file__).parent
Image.fromarray(sheet.reshape(sheet_rows * SIDE, COLUMNS * SIDE)).save(
    here / "digits.png", optimize=True
)
lines = ["".join(map(str, labels[i : i + COLUMNS])) for i in range(0, len(labels), COLUMNS)]
(here / "labels.txt").write_text("\n".join(lines) + "\n")
