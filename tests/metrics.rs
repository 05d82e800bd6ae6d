//! `ersatz metrics` and `ersatz weights` as people use them, on an Inception with made-up weights.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use burn::tensor::Device;
use ersatz::lab::images::encode_png;
use ersatz::nets::blocks::Site;
use ersatz::nets::inception::Inception;
use ersatz::nets::weights::{Array, State, state_of, write_safetensors};
use ersatz::terms::{Picture, Seed};
use serde_json::Value;

/// Pictures per side: what fills one batch of the network.
const PICTURES: usize = 12;

struct Desk(tempfile::TempDir);

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    /// A folder with real pictures, generated ones that are brighter, and weights.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (folder, light) in [("real", 0), ("fake", 60)] {
            for i in 0..PICTURES {
                let mut picture = Picture::filled(16, 16, [light; 3]);
                let noise = Seed::root(i as u64).child(folder).stream().normals(16 * 16 * 3);
                for (byte, z) in picture.rgb_mut().iter_mut().zip(noise) {
                    *byte = byte.saturating_add((90.0 + 40.0 * z).clamp(0.0, 190.0) as u8);
                }
                desk.write(&format!("{folder}/{i:02}.png"), &encode_png(&picture));
            }
        }
        desk.write("inception.safetensors", &write_safetensors(&weights()));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ersatz"));
        command.args(arguments).current_dir(self.0.path()).env_remove("ERSATZ_CACHE");
        command.env("TORCH_HOME", self.path("torch")).env("HF_HOME", self.path("hub"));
        command.env("ERSATZ_WEIGHTS", self.path("ours"));
        let output = command.output().unwrap();
        Told {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Measures with the made-up weights and these options.
    fn measure(&self, options: &[&str]) -> Told {
        let usual = ["metrics", "--weights", "inception.safetensors", "--fake", "fake"];
        self.run(&[&usual[..], options].concat())
    }

    fn scores(&self, options: &[&str]) -> Value {
        let told = self.measure(&[options, &["--json"]].concat());
        assert_eq!(told.code, 0, "{}", told.err);
        serde_json::from_str::<Value>(&told.out).unwrap()["sets"]["fake"].clone()
    }
}

/// Returns weights that let pictures through: He's deviations, norms that do nothing.
fn weights() -> State {
    let mut state = state_of(&Inception::new(&Site::blank(&Device::flex())));
    for (name, array) in &mut state {
        let fan_in = array.shape[1..].iter().product::<usize>() as f32;
        let count = array.values.len();
        array.values = match array.shape.len() {
            1 if name.ends_with("weight") || name.ends_with("var") => vec![1.0; count],
            1 => vec![0.0; count],
            _ => {
                let drawn = Seed::root(7).child(name).stream().normals(count);
                drawn.into_iter().map(|z| z * (2.0 / fan_in).sqrt()).collect()
            }
        };
    }
    state
}

fn value(scores: &Value, name: &str) -> Option<f64> {
    let lines = scores["lines"].as_array().unwrap();
    lines.iter().find(|line| line["name"] == name)?["value"].as_f64()
}

#[test]
fn two_folders_become_scores_with_protocols_once() {
    let desk = Desk::new();
    let all = ["--real", "real", "--allow-small-n"];
    let scores = desk.scores(&all);
    for name in ["fid", "sfid", "kid", "is", "precision", "recall", "density", "coverage"] {
        assert!(value(&scores, name).is_some_and(f64::is_finite), "{name}: {scores:#}");
    }
    let protocol = scores["lines"][0]["protocol"].as_str().unwrap();
    for part in [
        "fid[tool=ersatz;extractor=inception.pool3@",
        ",pil-bicubic-f32-299,(x-128)/128;jpeg=libjpeg-turbo;f64;rank-deficient;N=12/12;ref=real@",
    ] {
        assert!(protocol.contains(part), "{protocol}");
    }
    // The table, from the store: nothing is started.
    let again = desk.measure(&all);
    assert!(!again.err.contains("started"), "{}", again.err);
    assert!(again.out.contains(" fid ↓ |") && again.out.contains("Protocols:"), "{}", again.out);
    let of = |name: &str| {
        let lines = scores["lines"].as_array().unwrap();
        lines.iter().find(|line| line["name"] == name).unwrap()["protocol"].as_str().unwrap()
    };
    assert!(of("is").ends_with(";splits=10;shuffled;N=12]"), "{}", of("is"));
    // Another way of preparing pictures is another number.
    let other = desk.scores(&["fid", "--real", "real", "--allow-small-n", "--protocol", "tf"]);
    assert_ne!(value(&other, "fid"), value(&scores, "fid"));
}

#[test]
fn statistics_of_the_real_side_serve_instead_of_its_pictures() {
    let desk = Desk::new();
    let fid = ["fid", "sfid", "--allow-small-n", "--no-intervals"];
    let write = ["--real", "real", "--write-statistics", "out/real.npz"];
    let beside = ["--real", "real", "--write-statistics", "here.npz"];
    let from_pictures = desk.scores(&[&fid[..], &write].concat());
    let from_file = desk.scores(&[&fid[..], &["--real", "out/real.npz"]].concat());
    desk.scores(&[&fid[..], &beside].concat());
    let written = |name: &str| fs::read(desk.path(name)).unwrap();
    assert_eq!(written("here.npz"), written("out/real.npz"));
    for name in ["fid", "sfid"] {
        let (a, b) = (value(&from_pictures, name).unwrap(), value(&from_file, name).unwrap());
        // Of twelve pictures the file's covariance is singular, its root exact to about 1e-8.
        assert!((a - b).abs() <= 1e-4 * a.abs(), "{name}: {a} {b}");
    }
    let kid = desk.scores(&["kid,is", "--real", "out/real.npz"]);
    assert!(kid["refused"][0].as_str().unwrap().contains("statistics"), "{kid:#}");

    let whole = written("here.npz");
    desk.write("cut.npz", &whole[..whole.len() / 2]);
    let told = desk.measure(&["--real", "cut.npz"]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("--real") && told.err.contains("cut.npz"), "{}", told.err);
    let mut bent = whole;
    let header = bent.windows(6).position(|bytes| bytes == b"\x93NUMPY").unwrap();
    bent[header] = b'?';
    desk.write("bent.npz", &bent);
    let told = desk.measure(&["--real", "bent.npz"]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("bent.npz") && told.err.contains("mu.npy"), "{}", told.err);
}

#[test]
fn sets_of_one_name_are_told_apart() {
    let desk = Desk::new();
    for i in 0..PICTURES {
        let picture = fs::read(desk.path(&format!("fake/{i:02}.png"))).unwrap();
        desk.write(&format!("a/fake/{i:02}.png"), &picture);
    }
    let told = desk.measure(&["kid", "--real", "real", "--fake", "a/fake", "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let sets = &serde_json::from_str::<Value>(&told.out).unwrap()["sets"];
    assert_eq!(value(&sets["fake"], "kid"), value(&sets["a/fake"], "kid"), "{sets:#}");
    assert_eq!(sets.as_object().unwrap().len(), 2);
}

#[test]
fn what_the_literature_forbids_is_refused_with_its_reason() {
    let desk = Desk::new();
    // Alone it is refused before the network starts, beside other scores it is left out.
    let told = desk.measure(&["fid", "--real", "real"]);
    assert_eq!(told.code, 2, "{}", told.err);
    for part in ["`real` has 12 pictures", "at least 2048", "--allow-small-n"] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }
    let scores = desk.scores(&["fid,kid", "--real", "real"]);
    assert_eq!(scores["lines"].as_array().unwrap().len(), 1, "{scores:#}");
    let why = scores["refused"][0].as_str().unwrap();
    assert!(why.contains("of 12 pictures") && why.contains("--allow-small-n"), "{why}");

    let one = fs::read(desk.path("fake/00.png")).unwrap();
    desk.write("few/00.png", &one);
    let told = desk.measure(&["--real", "real", "--fake", "few"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("`few` has 1 pictures, the first set 12"), "{}", told.err);
    assert!(told.err.contains("--draw N"), "{}", told.err);
}

#[test]
fn one_unreadable_picture_stops_the_run_by_name_unless_told_otherwise() {
    let desk = Desk::new();
    desk.write("real/05.png", b"\x89PNG\r\n\x1a\n cut");
    let told = desk.measure(&["kid", "--real", "real"]);
    assert_eq!(told.code, 2, "{}", told.err);
    for part in ["real/05.png", "1 of 12 pictures cannot be read", "--skip-unreadable"] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }
    let skipping = desk.measure(&["kid", "--real", "real", "--skip-unreadable"]);
    assert_eq!(skipping.code, 0, "{}", skipping.err);
    let left_out = "1 of 12 real pictures cannot be read: left out";
    for told in [skipping, desk.measure(&["kid", "--real", "real", "--skip-unreadable"])] {
        assert!(told.out.contains("N=11/12") && told.out.contains(left_out), "{}", told.out);
    }
}

#[test]
fn weights_that_are_absent_cut_or_of_another_network_are_told() {
    let desk = Desk::new();
    let told = desk.run(&["metrics", "--real", "real", "--fake", "fake"]);
    assert_eq!(told.code, 2);
    for part in ["no weights for `inception`", "pt_inception-2015-12-05-6726825d.pth", "hint: "] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }
    let whole = fs::read(desk.path("inception.safetensors")).unwrap();
    desk.write("cut.safetensors", &whole[..whole.len() / 2]);
    let told = desk.run(&["weights", "check", "inception", "cut.safetensors"]);
    assert_eq!(told.code, 2, "{}", told.err);
    let told = desk.run(&["weights", "check", "vgg16", "inception.safetensors"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("vgg16"), "{}", told.err);
    let good = desk.run(&["weights", "check", "inception", "inception.safetensors"]);
    assert!(good.code == 0 && good.out.contains("tensors fit `inception`"), "{}", good.err);

    let mut state = weights();
    let classes = Array { shape: vec![1000, 2048], values: vec![0.0; 1000 * 2048] };
    state.insert("fc.weight".to_owned(), classes);
    desk.write("torchvision.safetensors", &write_safetensors(&state));
    let wrong = ["--weights", "torchvision.safetensors"];
    let told = desk.run(&[&["metrics", "--real", "real", "--fake", "fake"], &wrong[..]].concat());
    assert_eq!(told.code, 2, "{}", told.err);
    for part in ["torchvision's InceptionV3", "not those of the literature", "6726825d.pth"] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }

    let mut state = weights();
    state.get_mut("fc.bias").unwrap().values[3] = f32::NAN;
    desk.write("nan.safetensors", &write_safetensors(&state));
    let told = desk.run(&["weights", "check", "inception", "nan.safetensors"]);
    assert!(told.code == 2 && told.err.contains("`fc.bias`"), "{}", told.err);
    let listed = desk.run(&["weights", "ls"]);
    assert!(listed.out.contains("inception ") && listed.out.contains("absent"), "{}", listed.out);
}

#[test]
fn a_protocol_takes_what_its_tool_has() {
    let desk = Desk::new();
    let told = desk.measure(&["--real", "real", "--extractor", "vgg16", "--protocol", "adm"]);
    assert_eq!(told.code, 2, "{}", told.err);
    for part in ["--extractor", "`vgg16` with `--protocol adm`", "one of `inception`"] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }
    let scores = desk.scores(&["pr,is", "--real", "real", "--protocol", "torch-fidelity"]);
    assert!(value(&scores, "is-torch-fidelity").is_some(), "{scores:#}");
    let why = scores["refused"][0].as_str().unwrap();
    assert!(why.contains("--extractor vgg16"), "{why}");
}

#[test]
fn classes_and_the_closest_pairs_are_shown() {
    let desk = Desk::new();
    for i in 0..PICTURES {
        for side in ["real", "fake"] {
            let content = fs::read(desk.path(&format!("{side}/{i:02}.png"))).unwrap();
            let class = if i < 4 { "cat" } else { "dog" };
            desk.write(&format!("classes/{side}/{class}/{i:02}.png"), &content);
        }
    }
    // One generated picture is a copy, and one cannot be read: positions must not slip.
    let copy = fs::read(desk.path("real/07.png")).unwrap();
    desk.write("classes/fake/dog/09.png", &copy);
    desk.write("classes/fake/cat/01.png", b"no picture");
    let sets = ["--real", "classes/real", "--fake", "classes/fake", "--skip-unreadable"];
    let asked = ["kid", "--per-class", "--pairs", "out/pairs.png", "--unseen", "real"];
    let usual = ["metrics", "--weights", "inception.safetensors"];
    let told = desk.run(&[&usual[..], &sets, &asked, &["--json"]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let scores = &serde_json::from_str::<Value>(&told.out).unwrap()["sets"]["fake"];
    let nearest = &scores["pairs"][0];
    assert_eq!((&nearest["fake"], &nearest["real"]["index"]), (&9.into(), &7.into()), "{scores:#}");
    assert_eq!(nearest["real"]["distance"], 0.0);
    let class = &scores["classes"][1];
    assert_eq!(
        (&class["class"], &class["real"], &class["fake"]),
        (&"dog".into(), &8.into(), &8.into())
    );
    assert!(class["distance"]["refused"].as_str().unwrap().contains("2048 features"), "{class:#}");
    assert!(class["recall"]["score"].is_number(), "{class:#}");
    let sheet =
        ersatz::lab::images::decode(&fs::read(desk.path("out/pairs.png")).unwrap()).unwrap();
    // Two rows of pairs of 16 pixels, enlarged six times, with gaps of 4.
    assert_eq!((sheet.width(), sheet.height()), (4 + 8 * 100, 4 + 4 * 100));
    let table = desk.run(&[&usual[..], &sets, &asked].concat());
    assert!(table.out.contains("| dog ") && table.out.contains("too few"), "{}", table.out);

    let told = desk.measure(&["kid", "--real", "real", "--per-class"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("without a class") && told.err.contains("arr_1"), "{}", told.err);
    let told = desk.measure(&["near-train", "--real", "real"]);
    assert!(told.code == 2 && told.err.contains("--unseen"), "{}", told.err);
    let scores = desk.scores(&["near-train", "--real", "real", "--unseen", "classes/real"]);
    // The unseen are the seen: nothing is nearer than they are.
    assert_eq!(value(&scores, "near-train"), Some(0.0), "{scores:#}");
}

#[test]
fn a_single_picture_has_no_distance_and_breaks_nothing() {
    let desk = Desk::new();
    let one = ["--allow-small-n", "--draw", "1", "--real", "real"];
    let told = desk.measure(&one);
    assert_eq!(told.code, 1, "{}", told.err);
    assert!(told.out.contains("kid: 1 picture is too few"), "{}", told.out);
    let write = desk.measure(&[&one[..], &["--write-statistics", "one.npz"]].concat());
    assert!(write.code == 1 && !desk.path("one.npz").exists(), "{}", write.err);
}

#[test]
fn a_reference_batch_serves_with_statistics_and_pictures() {
    let desk = Desk::new();
    desk.scores(&["kid", "--real", "real", "--write-statistics", "stats.npz"]);
    let mut archive =
        zip::ZipArchive::new(fs::File::open(desk.path("stats.npz")).unwrap()).unwrap();
    let mut batch = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let foreign = ["n.npy", "extractor.npy"];
    for i in 0..archive.len() {
        let member = archive.by_index_raw(i).unwrap();
        if !foreign.contains(&member.name().unwrap().as_ref()) {
            batch.raw_copy_file(member).unwrap();
        }
    }
    let numpy = |shape: &str, numbers: &[u8]| {
        let head = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        let head = format!("{head:<117}\n");
        [b"\x93NUMPY\x01\x00\x76\x00", head.as_bytes(), numbers].concat()
    };
    let mut pixels = Vec::new();
    for i in 0..PICTURES {
        let file = fs::read(desk.path(&format!("real/{i:02}.png"))).unwrap();
        pixels.extend_from_slice(ersatz::lab::images::decode(&file).unwrap().rgb());
    }
    batch.start_file("arr_0.npy", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut batch, &numpy("(12, 16, 16, 3)", &pixels)).unwrap();
    desk.write("batch.npz", &batch.finish().unwrap().into_inner());

    let asked = ["fid,kid", "--allow-small-n", "--no-intervals"];
    let from_batch = desk.scores(&[&asked[..], &["--real", "batch.npz"]].concat());
    let from_folder = desk.scores(&[&asked[..], &["--real", "real"]].concat());
    assert_eq!(value(&from_batch, "kid"), value(&from_folder, "kid"));
    let [a, b] = [&from_batch, &from_folder].map(|scores| value(scores, "fid").unwrap());
    assert!((a - b).abs() <= 1e-4 * b.abs(), "{a} {b}");
    let protocol = from_batch["lines"][0]["protocol"].as_str().unwrap();
    let want = ["N=unknown/12", "ref=batch.npz@", "ref-extractor=unknown"];
    assert!(want.iter().all(|part| protocol.contains(part)), "{protocol}");

    // Our own statistics say what they are of.
    let other = ["--real", "stats.npz", "--protocol", "pytorch-fid", "--allow-small-n"];
    let told = desk.measure(&other);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("statistics of `inception.pool3@"), "{}", told.err);
}
