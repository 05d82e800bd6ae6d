"""Golden data for NumPy's RandomState: one generator per seed, asked for many things in a row. Run from this folder."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

HEAD = 40  # Of long draws; the draws that follow depend on all of them.


def draws(rng):
    yield "bits", 0, {}, rng.randint(0, 2**32, size=8, dtype=np.uint32)
    for n in (1, 2, 7, 1000, 2**31, 2**32, 2**40 + 1):
        yield "randint", n, {}, np.array([rng.randint(n) for _ in range(5)])
    for n in (0, 1, 2, 10, 5000):
        yield "permutation", n, {}, rng.permutation(n)
    for n, count in ((10, 10), (2000, 1000), (50_000, 1000)):
        yield "choice", n, {"count": count}, rng.choice(n, count, replace=False)
    letters = np.arange(100, 130)
    rng.shuffle(letters)
    yield "shuffle", 30, {}, letters
    letters = [int(letter) for letter in range(100, 117)]
    rng.shuffle(letters)  # A list, not an array: another branch of NumPy's code.
    yield "shuffle", 17, {}, np.array(letters)
    yield "bits", 0, {}, rng.randint(0, 2**32, size=8, dtype=np.uint32)


cases = []
for seed in (0, 1, 2020, 2**32 - 1):
    rng = np.random.RandomState(seed)
    cases.append({"seed": seed, "draws": [
        {"what": what, "n": n, **more, "want": [int(v) for v in got[:HEAD]]}
        for what, n, more, got in draws(rng)
    ]})

Path("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
Path("versions.txt").write_text(f"numpy {version('numpy')}\n")
