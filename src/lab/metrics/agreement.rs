//! Every score on the same six pairs of sets beside the tools that others use: small, fewer rows
//! than features, more, duplicates, identical, rank-deficient. Within 1e-6 relative, or closer.

use serde_json::Value;

use super::features::testing::from_json;
use super::*;
use crate::terms::Seed;
use crate::testing::{Tol, close, close_all, golden_json};

fn each_case(check: impl Fn(&str, &Value, Manifolds<'_>)) {
    let golden = golden_json("metrics/scores/cases.json");
    let cases = golden.as_object().unwrap();
    assert_eq!(cases.len(), 6);
    for (name, case) in cases {
        let (real, fake) = (from_json(&case["real"]), from_json(&case["fake"]));
        check(name, case, Manifolds { real: &real, fake: &fake });
    }
}

fn numbers<const N: usize>(of: &Value, names: [&str; N]) -> [f64; N] {
    names.map(|name| of[name].as_f64().unwrap())
}

#[test]
fn fid_agrees_with_scipy_and_torch_fidelity() {
    each_case(|name, case, sets| {
        let value = match fid(sets.real, sets.fake) {
            Frechet::Sound(distance) | Frechet::RankDeficient(distance) => distance.value,
            outcome @ Frechet::Indefinite { .. } => panic!("{name}: {outcome:?}"),
        };
        // Identical sets: 0 up to the rounding of traces near 10.
        let tol = Tol::absolute(1e-12).or_relative(1e-6);
        for want in numbers(&case["fid"], ["sqrtm", "torch_fidelity", "nuclear"]) {
            close(value, want, tol);
        }
        let singular = ["fewer-than-features", "rank-deficient"].contains(&name);
        if !singular {
            close(value, case["fid"]["sqrtm"].as_f64().unwrap(), Tol::absolute(2e-12));
        }
    });
}

#[test]
fn kid_and_inception_score_agree_with_torch_fidelity() {
    each_case(|_, case, sets| {
        let size = usize::try_from(case["kid"]["size"].as_u64().unwrap()).unwrap();
        let spec = KidSubsets { subsets: 20, size };
        let kid = kid_torch_fidelity(sets, spec, TORCH_FIDELITY_SEED).unwrap();
        // One formula in f64; the order of summation differs.
        let tol = Tol::absolute(1e-12).or_relative(1e-11);
        close_all(&[kid.mean, kid.sd], &numbers(&case["kid"], ["mean", "sd"]), tol);
        let logits = Logits::new(sets.fake.d(), sets.fake.rows().to_vec());
        let score = IsProtocol::TorchFidelity.score(&logits.softmax(), &Seed::root(0));
        close_all(&[score.mean, score.sd], &numbers(&case["is"], ["mean", "sd"]), tol);
    });
}

#[test]
fn neighbourhoods_agree_with_prdc_torch_fidelity_and_dgm_eval() {
    each_case(|_, case, sets| {
        let got = prdc(sets, PrProtocol::Prdc.spec());
        let want = numbers(&case["prdc"], ["precision", "recall", "density", "coverage"]);
        // Counts divided by counts.
        let got = [got.precision, got.recall, got.density, got.coverage];
        close_all(&got, &want, Tol::absolute(1e-12));
        let got = prdc(sets, PrProtocol::TorchFidelity.spec());
        let want = numbers(&case["prc"], ["precision", "recall", "f_score"]);
        // torch-fidelity's means are in f32.
        close_all(&[got.precision, got.recall, got.f_score()], &want, Tol::relative(1e-7));
        let want = case["authentic"].as_f64().unwrap();
        close(authenticity(sets.real, sets.fake), want, Tol::absolute(1e-12));
    });
}

#[test]
fn fid_infinity_agrees_with_dgm_eval() {
    each_case(|_, case, sets| {
        let want = &case["fid_infinity"];
        let got = fid_infinity(sets, InfinitySizes::DgmEval, 2020).unwrap();
        let sizes: Vec<u64> = got.points.iter().map(|point| point.n as u64).collect();
        let theirs: Vec<u64> =
            want["sizes"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
        assert_eq!(sizes, theirs);
        // Roots of rounding, 1e-8 each, on singular draws with more rows than features.
        close_all(
            &[got.value, got.slope, got.r_squared],
            &numbers(want, ["value", "slope", "r_squared"]),
            Tol::relative(1e-6),
        );
    });
}
