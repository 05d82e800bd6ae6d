use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor, TensorData};

use super::super::ideal::{Mixture, floats};
use super::super::{
    Clipped, Cosine, Karras, KarrasSpacing, Levels, Linear, Noise, ScaledLinear, Schedule, Spacing,
};
use super::*;
use crate::terms::Seed;
use crate::testing::{Tol, close, close_all, golden_json};

/// One of each, ancestral ones in several forms.
fn all(steps: usize) -> Vec<(&'static str, Sampler)> {
    let spacing = Spacing::Karras(KarrasSpacing::default());
    let ddpm = |logvar| Sampler::Ddpm(Ddpm { steps, logvar, spacing });
    let ddim = |eta| Sampler::Ddim(Ddim { steps, eta, spacing });
    vec![
        ("ddpm small", ddpm(0.0)),
        ("ddpm mixed", ddpm(0.3)),
        ("ddpm large", ddpm(1.0)),
        ("ddim", ddim(0.0)),
        ("ddim noisy", ddim(0.5)),
        ("euler", Sampler::Euler(Euler { steps, spacing })),
        ("heun", Sampler::Heun(Heun { steps, spacing })),
        ("dpmpp-2m", Sampler::Dpmpp2m(Dpmpp2m { steps, spacing })),
    ]
}

fn noise_of(items: std::ops::Range<u64>) -> Noise {
    let seeds: Vec<Seed> = items.map(|i| Seed::root(11).index(i)).collect();
    Noise::new(&seeds, [1, 2, 2], &Device::flex())
}

fn finite() -> Mixture {
    let centres =
        vec![vec![-0.8, 0.1, 0.5, 0.9], vec![0.7, -0.6, 0.2, -0.3], vec![0.0, 0.9, -0.9, 0.4]];
    Mixture { shares: vec![0.2, 0.5, 0.3], centres, spread: 0.0 }
}

// ---- golden ----

struct Golden {
    json: serde_json::Value,
    shape: [usize; 4],
    mixture: Mixture,
}

impl Golden {
    fn read() -> Self {
        let json = golden_json("diffusion/samplers/golden.json");
        let field = |name: &str| json[name].clone();
        let mixture = Mixture {
            shares: serde_json::from_value(field("shares")).unwrap(),
            centres: serde_json::from_value(field("centres")).unwrap(),
            spread: json["spread"].as_f64().unwrap(),
        };
        Self { shape: serde_json::from_value(field("shape")).unwrap(), mixture, json }
    }

    fn tensor(&self, value: &serde_json::Value) -> Tensor<4> {
        let values: Vec<f32> = serde_json::from_value(value.clone()).unwrap();
        Tensor::from_data(TensorData::new(values, self.shape), &Device::flex())
    }

    fn numbers(&self, run: &str, field: &str) -> Vec<f64> {
        serde_json::from_value(self.json["runs"][run][field].clone()).unwrap()
    }

    /// Draws from the stored noise along our own noise levels and compares with a stored run.
    fn check(&self, run: &str, sampler: Sampler, levels: &Levels, clip: Option<f64>) {
        let sigmas = sampler.sigmas(levels);
        // Both in f64; the tables agree to 1e-11, Karras levels to 1e-10.
        close_all(&sigmas, &self.numbers(run, "sigmas"), Tol::relative(1e-10));
        let x = self.tensor(&self.json["start"]) * sigmas[0];
        let step = |i: usize| self.tensor(&self.json["steps"][i]);
        let clipped = |x: Tensor<4>, sigma: f64| {
            let limit = clip.unwrap_or(f64::INFINITY);
            self.mixture.denoise(x, sigma).clamp(-limit, limit)
        };
        let picture = match sampler {
            Sampler::Ddpm(s) => ddpm(&clipped, x, &sigmas, s.logvar, &step),
            Sampler::Ddim(s) => ddim(&clipped, x, &sigmas, s.eta, &step),
            other => other.refine(&clipped, x, &sigmas, &noise_of(0..0)),
        };
        // Ours is f32, the reference f64. Roundings of 6e-8 sigma shrink as sigma does; a dozen
        // steps of values of size 1 leave a few 1e-7.
        close_all(&floats(picture), &self.numbers(run, "picture"), Tol::absolute(2e-6));
    }
}

#[test]
fn all_agree_with_diffusers() {
    let golden = Golden::read();
    let linear = Schedule::Linear(Linear::default()).levels();
    let scaled = Schedule::ScaledLinear(ScaledLinear::default()).levels();
    let cosine = Schedule::Cosine(Cosine::default()).levels();
    let karras = Spacing::Karras(KarrasSpacing::default());
    let (leading, linspace) = (Spacing::Leading, Spacing::Linspace);

    let ddpm = |steps, logvar, spacing| Sampler::Ddpm(Ddpm { steps, logvar, spacing });
    golden.check("ddpm-small", ddpm(10, 0.0, leading), &linear, None);
    golden.check("ddpm-large", ddpm(10, 1.0, leading), &linear, None);
    golden.check("ddpm-mixed", ddpm(12, 0.3, linspace), &cosine, None);
    golden.check("ddpm-clipped", ddpm(10, 0.0, leading), &linear, Some(0.5));

    let ddim = |eta, spacing| Sampler::Ddim(Ddim { steps: 10, eta, spacing });
    golden.check("ddim", ddim(0.0, leading), &scaled, None);
    golden.check("ddim-trailing", ddim(0.0, Spacing::Trailing), &linear, None);
    golden.check("ddim-noisy", ddim(0.7, leading), &linear, None);
    golden.check("ddim-clipped", ddim(0.0, leading), &linear, Some(0.5));

    let euler = |steps, spacing| Sampler::Euler(Euler { steps, spacing });
    golden.check("euler", euler(10, linspace), &linear, None);
    golden.check("euler-karras", euler(12, karras), &scaled, None);
    let heun = |steps, spacing| Sampler::Heun(Heun { steps, spacing });
    golden.check("heun", heun(10, linspace), &linear, None);
    golden.check("heun-karras", heun(12, karras), &scaled, None);
    let dpmpp_2m = |steps, spacing| Sampler::Dpmpp2m(Dpmpp2m { steps, spacing });
    golden.check("dpmpp-2m-karras", dpmpp_2m(12, karras), &scaled, None);
    golden.check("dpmpp-2m-linspace", dpmpp_2m(10, linspace), &linear, None);
}

// ---- laws ----

#[test]
fn solvers_converge_with_their_order() {
    // One Gaussian: x(sigma) - centre is proportional to sqrt(spread^2 + sigma^2) along the flow.
    let (spread, centre, x0, high, low) = (0.5_f64, 0.3_f64, 4.0_f64, 10.0_f64, 0.1_f64);
    let width = |sigma: f64| spread.hypot(sigma);
    let want = centre + (x0 - centre) * width(low) / width(high);
    let gaussian = Mixture { shares: vec![1.0], centres: vec![vec![centre]], spread };
    let error = |sampler: Sampler| {
        let range = Karras { sigma_min: low, sigma_max: high, rho: 7.0 };
        let levels = Schedule::Karras(range).levels();
        let mut sigmas = levels.inference_sigmas(sampler.spacing(), sampler.steps() + 1);
        sigmas.pop(); // The order is that of the steps above 0.
        let x = Tensor::<4>::full([1, 1, 1, 1], x0, &Device::flex());
        let noise = Noise::new(&[Seed::root(0)], [1, 1, 1], &Device::flex());
        (floats(sampler.refine(&gaussian, x, &sigmas, &noise))[0] - want).abs()
    };
    for (name, order) in [("ddim", 1.0), ("euler", 1.0), ("heun", 2.0), ("dpmpp-2m", 2.0)] {
        let of = |steps| {
            let (_, sampler) = all(steps).into_iter().find(|(known, _)| *known == name).unwrap();
            error(sampler)
        };
        // Steps are so long that the error stays 100 times above what f32 rounds, and so short
        // that higher orders change the slope by less than a quarter.
        let got = (of(16) / of(32)).log2();
        close(got, order, Tol::absolute(0.25));
        assert!(of(32) > 2e-5, "{name}: {:e} drowns in rounding", of(32));
    }
}

#[test]
fn every_sampler_lands_on_the_data() {
    let data = finite();
    for schedule in [Schedule::default(), Schedule::Cosine(Cosine::default())] {
        let levels = schedule.levels();
        for (name, sampler) in all(20) {
            let drawn = floats(sampler.draw(&data, &levels, &noise_of(0..16)));
            let mut seen = BTreeSet::new();
            for picture in drawn.chunks(4) {
                let gap = |centre: &Vec<f64>| {
                    centre.iter().zip(picture).map(|(c, p)| (c - p).abs()).fold(0.0, f64::max)
                };
                let gaps: Vec<f64> = data.centres.iter().map(gap).collect();
                let gap = gaps.iter().copied().fold(f64::INFINITY, f64::min);
                // At the lowest level (0.01) other centres have no weight left; f32 remains.
                close(gap, 0.0, Tol::absolute(1e-6));
                seen.extend(gaps.iter().position(|g| *g <= gap));
            }
            assert!(seen.len() >= 2, "{name}: all pictures are the same one");
        }
    }
}

#[test]
fn a_picture_is_the_same_in_any_batch() {
    let data = Mixture { spread: 0.2, ..finite() };
    let levels = Schedule::default().levels();
    for (name, sampler) in all(10) {
        let all = floats(sampler.draw(&data, &levels, &noise_of(0..5)));
        for (first, last) in [(0, 2), (2, 3), (3, 5)] {
            let part = floats(sampler.draw(&data, &levels, &noise_of(first..last)));
            let same = &all[4 * first as usize..4 * last as usize];
            assert_eq!(part, same, "{name}"); // Bit for bit: no step mixes pictures.
        }
    }
}

#[test]
fn ddim_lies_between_euler_and_ddpm() {
    let data = Mixture { spread: 0.2, ..finite() };
    let levels = Schedule::default().levels();
    let draw = |sampler: Sampler| floats(sampler.draw(&data, &levels, &noise_of(0..4)));
    for spacing in [Spacing::Leading, Spacing::Trailing, Spacing::Linspace] {
        let steps = 25;
        let ddim = |eta| draw(Sampler::Ddim(Ddim { steps, eta, spacing }));
        // The same formulas, rounded to f32 in another order along 25 steps.
        let tol = Tol::absolute(1e-5);
        close_all(&ddim(0.0), &draw(Sampler::Euler(Euler { steps, spacing })), tol);
        let small = Ddpm { steps, logvar: 0.0, spacing };
        close_all(&ddim(1.0), &draw(Sampler::Ddpm(small)), tol);
    }
}

#[test]
fn refining_from_noise_is_drawing() {
    let levels = Schedule::default().levels();
    for (name, sampler) in all(8) {
        let sigmas = sampler.sigmas(&levels);
        let noise = noise_of(0..2);
        let x = noise.initial() * sigmas[0];
        let refined = floats(sampler.refine(&finite(), x, &sigmas, &noise));
        assert_eq!(refined, floats(sampler.draw(&finite(), &levels, &noise)), "{name}");
    }
}

#[test]
fn clipped_pictures_stay_in_range() {
    let bright = |x: Tensor<4>, _: f64| x.zeros_like() + 1.7;
    let clipped = Clipped(&bright);
    let levels = Schedule::default().levels();
    for (name, sampler) in all(6) {
        let drawn = floats(sampler.draw(&clipped, &levels, &noise_of(0..2)));
        assert!(drawn.iter().all(|value| (value - 1.0).abs() < 1e-6), "{name}: {drawn:?}");
    }
}

#[test]
fn too_many_steps_are_reported() {
    let many = |spacing| Sampler::Ddim(Ddim { steps: 2000, eta: 0.0, spacing });
    let karras = Spacing::Karras(KarrasSpacing::default());
    let problems = many(Spacing::Leading).problems(&Schedule::default(), "file");
    assert!(problems[0].to_string().contains("2000 steps"), "{}", problems[0]);
    assert!(many(karras).problems(&Schedule::default(), "file").is_empty());
    assert!(Sampler::default().problems(&Schedule::default(), "file").is_empty());
}

#[test]
fn choices_are_keys() {
    let parse = |text: &str| toml::from_str::<Sampler>(text);
    let want = Dpmpp2m { steps: 25, ..Dpmpp2m::default() };
    assert_eq!(parse("[dpmpp-2m]\nsteps = 25").unwrap(), Sampler::Dpmpp2m(want));
    assert_eq!(parse("[ddpm]").unwrap(), Sampler::Ddpm(Ddpm::default()));
    assert!(parse("[ddim]\nguidance = 2.0").is_err());
}
