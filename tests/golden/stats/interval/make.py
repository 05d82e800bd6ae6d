"""Golden data for lab/stats: SciPy's intervals and NumPy's quantiles. Run from this folder."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.RandomState(0)

student_t = [
    {"p": p, "dof": dof, "quantile": float(stats.t.ppf(p, dof))}
    for p in (0.55, 0.75, 0.9, 0.95, 0.975, 0.995, 0.9999, 0.025)
    for dof in (1, 2, 3, 4, 5, 9, 10, 29, 30, 31, 99, 1000, 100000, 2.5)
]

wilson = []
for hits, n in [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (355, 360), (1, 360), (9876, 10000)]:
    ends = stats.binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    wilson.append({"hits": hits, "n": n, "low": float(ends.low), "high": float(ends.high)})

means = []
for n in (2, 3, 5, 12):
    values = np.round(rng.normal(0.9, 0.02, n), 6)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    means.append({
        "values": values.tolist(), "mean": float(values.mean()), "sd": float(values.std(ddof=1)),
        "low": float(low), "high": float(high),
    })

arm, baseline = np.round(rng.normal(0.92, 0.02, 6), 6), np.round(rng.normal(0.9, 0.02, 6), 6)
test = stats.ttest_rel(arm, baseline)
ends = test.confidence_interval(0.95)
paired = {
    "arm": arm.tolist(), "baseline": baseline.tolist(), "mean": float((arm - baseline).mean()),
    "low": float(ends.low), "high": float(ends.high),
}

values, p = np.round(rng.normal(size=17), 6), [0.0, 0.025, 0.05, 0.3, 0.5, 0.77, 0.975, 1.0]
quantiles = {"values": values.tolist(), "p": p, "want": np.quantile(values, p).tolist()}

cases = {"student_t": student_t, "wilson": wilson, "means": means, "paired": paired, "quantiles": quantiles}
Path("cases.json").write_text(json.dumps(cases, indent=1) + "\n")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in ("numpy", "scipy")))
