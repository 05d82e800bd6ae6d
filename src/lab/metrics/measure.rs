//! What a metric looks at, what comes of it, and how both become scores with protocols.

use super::{Features, Probabilities};
use crate::terms::{Direction, Protocol, Score, Seed};

/// All that a metric may look at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the extractor says of itself ([`Extractor::describe`](super::Extractor::describe)).
    pub extractor: &'a str,
    /// The name of the real pictures, for the protocol: `train`, `val`, ...
    pub reference: &'a str,
    /// Features of the real pictures.
    pub real: &'a Features,
    /// Features of the generated pictures.
    pub fake: &'a Features,
    /// Class probabilities of the generated pictures, if the extractor has classes.
    pub probabilities: Option<&'a Probabilities>,
    /// Features of real pictures that the generator has not seen, if there are any.
    pub unseen: Option<&'a Features>,
    /// The address of shuffles.
    pub seed: Seed,
}

/// What came of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Its scores.
    Scores(Vec<Score>),
    /// Why there are none: a lower-case fragment that continues "not measured: ...".
    Refused(String),
}

/// A metric as a row of the table [`Metric`](super::Metric) is: its file fills it in.
pub(super) struct Entry {
    /// The names of its scores, and which way each improves.
    pub(super) scores: &'static [(&'static str, Direction)],
    /// How many pictures it needs at least on each side it looks at.
    pub(super) least_pictures: usize,
    /// Whether it looks at the real pictures at all.
    pub(super) compares: bool,
    /// Returns one value per score, or why there is none.
    pub(super) measure: fn(&Evidence<'_>) -> Result<Found, String>,
}

/// The values of a metric, in the order of its scores.
pub(super) struct Found {
    pub(super) values: Vec<f64>,
    /// What the protocol says beside extractor, number type, counts and reference.
    pub(super) details: Vec<String>,
}

impl Entry {
    pub(super) fn apply(&self, evidence: &Evidence<'_>) -> Measured {
        let Evidence { real, fake, .. } = evidence;
        let fewest = if self.compares { real.n().min(fake.n()) } else { fake.n() };
        if fewest < self.least_pictures {
            return Measured::Refused(format!(
                "{fewest} pictures are too few, at least {} are needed",
                self.least_pictures
            ));
        }
        match (self.measure)(evidence) {
            Ok(found) => Measured::Scores(self.name(evidence, &found)),
            Err(why) => Measured::Refused(why),
        }
    }

    /// Puts values beside their names under one protocol. `N` is real/fake, or fake alone where no
    /// real picture is looked at.
    fn name(&self, evidence: &Evidence<'_>, found: &Found) -> Vec<Score> {
        assert_eq!(found.values.len(), self.scores.len(), "one value per score");
        let Evidence { real, fake, .. } = evidence;
        let mut parts = vec![format!("extractor={}", evidence.extractor), "f64".to_owned()];
        parts.extend(found.details.iter().cloned());
        if self.compares {
            parts.push(format!("N={}/{}", real.n(), fake.n()));
            parts.push(format!("ref={}", evidence.reference));
        } else {
            parts.push(format!("N={}", fake.n()));
        }
        let score = |((name, direction), value): (&(&str, Direction), &f64)| Score {
            name: (*name).to_owned(),
            value: *value,
            direction: *direction,
            protocol: protocol(name, &parts),
        };
        self.scores.iter().zip(&found.values).map(score).collect()
    }
}

/// Returns `name[part;part;...]`, for instance
/// `fid[extractor=resnet-20;f64;N=1200/1200;ref=train]`.
///
/// ```
/// use ersatz::lab::metrics::protocol;
/// let text = protocol("top1", &["N=360".to_owned(), "ref=test".to_owned()]).0;
/// assert_eq!(text, "top1[N=360;ref=test]");
/// ```
///
/// # Panics
/// If a part holds one of `;[]`, which would let two protocols look alike.
pub fn protocol(name: &str, parts: &[String]) -> Protocol {
    let clean = |part: &String| !part.contains([';', '[', ']']);
    assert!(parts.iter().all(clean), "a part of a protocol holds no `;`, `[` or `]`: {parts:?}");
    Protocol(format!("{name}[{}]", parts.join(";")))
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::normal;
    use super::super::predictions::testing::one_hot;
    use super::super::{Extractor, Logits, Metric, Taps, fid};
    use super::*;
    use crate::terms::Picture;
    use crate::testing::{Tol, close};

    /// Mean colour, the simplest extractor.
    struct MeanColour;

    impl Extractor for MeanColour {
        fn describe(&self) -> String {
            "mean-colour".to_owned()
        }

        fn taps(&self, pictures: &[&Picture]) -> Taps {
            let mean = |picture: &Picture, channel: usize| {
                let channel = picture.rgb().iter().skip(channel).step_by(3);
                channel.map(|byte| f32::from(*byte)).sum::<f32>()
                    / (picture.width() * picture.height()) as f32
            };
            let rows = pictures.iter().flat_map(|picture| (0..3).map(|c| mean(picture, c)));
            Taps { features: Features::new(3, rows.collect()), logits: None, spatial: None }
        }
    }

    fn evidence<'a>(real: &'a Features, fake: &'a Features) -> Evidence<'a> {
        Evidence {
            extractor: "mean-colour",
            reference: "train",
            real,
            fake,
            probabilities: None,
            unseen: None,
            seed: Seed::root(0),
        }
    }

    fn protocols(measured: &Measured) -> Vec<String> {
        match measured {
            Measured::Scores(scores) => {
                scores.iter().map(|score| score.protocol.0.clone()).collect()
            }
            Measured::Refused(why) => vec![why.clone()],
        }
    }

    #[test]
    fn pictures_become_scores_through_an_extractor() {
        let shade = |i: u8| Picture::filled(2, 3, [10 * i, 255 - 9 * i, i * i]);
        let pictures: Vec<Picture> = (0..12).map(shade).collect();
        let references: Vec<&Picture> = pictures.iter().collect();
        let Taps { features, logits, .. } = MeanColour.taps(&references);
        let described = MeanColour.describe();
        let evidence = Evidence { extractor: &described, ..evidence(&features, &features) };
        let Measured::Scores(scores) = Metric::Fid.measure(&evidence) else {
            panic!("12 rows, 3-d")
        };
        close(scores[0].value, 0.0, Tol::absolute(1e-6));
        let classes = logits.as_ref().map(Logits::softmax);
        let blind = Evidence { probabilities: classes.as_ref(), ..evidence };
        assert_eq!(protocols(&Metric::Is.measure(&blind)), ["the extractor has no classes"]);
    }

    #[test]
    fn every_metric_names_its_scores_and_protocols() {
        let (real, fake) = (normal(90, 40, 3, 0.0, 1.0), normal(91, 30, 3, 0.1, 1.0));
        let (unseen, rows) = (normal(92, 20, 3, 0.0, 1.0), one_hot(30, 4));
        let evidence = Evidence {
            probabilities: Some(&rows),
            unseen: Some(&unseen),
            ..evidence(&real, &fake)
        };
        let all: Vec<String> =
            Metric::ALL.iter().flat_map(|metric| protocols(&metric.measure(&evidence))).collect();
        assert_eq!(
            all,
            [
                "fid[extractor=mean-colour;f64;N=40/30;ref=train]",
                "kid[extractor=mean-colour;f64;poly3;unbiased;all-pairs;N=40/30;ref=train]",
                "is[extractor=mean-colour;f64;classes=4;splits=10;shuffled;N=30]",
                "precision[extractor=mean-colour;f64;k=5,<;N=40/30;ref=train]",
                "recall[extractor=mean-colour;f64;k=5,<;N=40/30;ref=train]",
                "density[extractor=mean-colour;f64;k=5,<;N=40/30;ref=train]",
                "coverage[extractor=mean-colour;f64;k=5,<;N=40/30;ref=train]",
                "authentic[extractor=mean-colour;f64;unseen=20;quantile=0.05;N=40/30;ref=train]",
                "near-train[extractor=mean-colour;f64;unseen=20;quantile=0.05;N=40/30;ref=train]",
                "fid-infinity[extractor=mean-colour;f64;sizes=15:15..30;mt19937-2020;\
                 N=40/30;ref=train]",
                "authenticity[extractor=mean-colour;f64;nearest=1;N=40/30;ref=train]",
            ]
        );
        for metric in Metric::ALL {
            let Measured::Scores(scores) = metric.measure(&evidence) else { panic!("{metric:?}") };
            let names: Vec<&str> = scores.iter().map(|score| score.name.as_str()).collect();
            let want: Vec<&str> = metric.scores().iter().map(|(name, _)| *name).collect();
            assert_eq!(names, want);
        }
    }

    #[test]
    fn too_few_rows_are_labelled_and_hardly_any_are_refused() {
        let (real, few, one) =
            (normal(93, 40, 8, 0.0, 1.0), normal(94, 8, 8, 0.0, 1.0), normal(95, 1, 8, 0.0, 1.0));
        let label = protocols(&Metric::Fid.measure(&evidence(&real, &few)));
        assert_eq!(label, ["fid[extractor=mean-colour;f64;rank-deficient;N=40/8;ref=train]"]);
        assert!(fid(&real, &few).sound().is_none());
        for metric in Metric::ALL {
            let got = metric.measure(&evidence(&real, &one));
            assert!(matches!(got, Measured::Refused(_)), "{metric:?}: {got:?}");
        }
    }

    #[test]
    fn is_written_in_kebab_case() {
        let names: Vec<Metric> = serde_json::from_str(
            r#"["fid", "kid", "is", "prdc", "memorisation", "fid-infinity", "authenticity"]"#,
        )
        .unwrap();
        assert_eq!(names, Metric::ALL);
    }

    #[test]
    #[should_panic(expected = "a part of a protocol")]
    fn parts_cannot_pretend_to_be_two() {
        protocol("fid", &["extractor=a;f64".to_owned()]);
    }
}
