"""Golden data for the sizes of FID-infinity's draws: NumPy's linspace, cut to whole numbers as dgm-eval does.

Run from this folder.
"""

import json
from pathlib import Path

import numpy as np

POINTS = 15


def sizes(start, n):
    return [int(size) for size in np.linspace(start, n, POINTS).astype(int)]


cases = []
for n in [30, 31, 100, 2048, 9999, 10000, 12345, 20000, 30011, 50000, 120000, 1281167]:
    ours = n // 2 if n < 10000 else max(5000, n // 10)
    cases.append({"n": n, "ersatz": sizes(ours, n), "dgm-eval": sizes(min(5000, max(n // 10, 2)), n)})

Path("sizes.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
Path("versions.txt").write_text(f"numpy {np.__version__}\n")
