//! `ersatz weights fetch`, `import`, `ls` and `ersatz data fetch` as people use them, with a server
//! on this machine or none.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use serde_json::{Map, Value, json};

struct Desk(tempfile::TempDir);

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs the program, which has no other network than this mirror.
    fn run(&self, mirror: &str, arguments: &[&str]) -> Told {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ersatz"));
        command.args(arguments).current_dir(self.0.path()).env("HOME", self.path("home"));
        for absent in ["ERSATZ_WEIGHTS", "ERSATZ_DATA", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME"] {
            command.env_remove(absent);
        }
        command.env("ERSATZ_MIRROR", mirror).env("NO_PROXY", "127.0.0.1");
        let output = command.output().unwrap();
        Told {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what has to succeed and returns what it printed.
    fn good(&self, arguments: &[&str]) -> String {
        let told = self.run(NOBODY, arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {}", told.err);
        told.out
    }
}

/// A port that no server may listen on without being root.
const NOBODY: &str = "http://127.0.0.1:1";

/// Starts a server that gives every request the same answer.
fn server(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let answer = format!("{answer}\r\n{body}");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// Writes a DINOv2 ViT-B/14 of zeros with the names of `transformers`, in half precision.
fn write_dinov2(desk: &Desk, name: &str) {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: String, shape: &[usize]| shapes.push((name, shape.to_vec()));
    let d = 768;
    let patches = "embeddings.patch_embeddings.projection";
    add("embeddings.cls_token".to_owned(), &[1, 1, d]);
    add("embeddings.mask_token".to_owned(), &[1, d]);
    add("embeddings.position_embeddings".to_owned(), &[1, 37 * 37 + 1, d]);
    add(format!("{patches}.weight"), &[d, 3, 14, 14]);
    add(format!("{patches}.bias"), &[d]);
    let mut linear = |name: String, [rows, columns]: [usize; 2]| {
        let weight: &[usize] = if columns == 0 { &[rows] } else { &[rows, columns] };
        shapes.push((format!("{name}.weight"), weight.to_vec()));
        shapes.push((format!("{name}.bias"), vec![rows]));
    };
    for layer in (0..12).map(|layer| format!("encoder.layer.{layer}")) {
        linear(format!("{layer}.norm1"), [d, 0]);
        linear(format!("{layer}.norm2"), [d, 0]);
        for part in ["attention.query", "attention.key", "attention.value", "output.dense"] {
            linear(format!("{layer}.attention.{part}"), [d, d]);
        }
        linear(format!("{layer}.mlp.fc1"), [4 * d, d]);
        linear(format!("{layer}.mlp.fc2"), [d, 4 * d]);
    }
    linear("layernorm".to_owned(), [d, 0]);
    for (layer, i) in (0..12).flat_map(|layer| [(layer, 1), (layer, 2)]) {
        shapes.push((format!("encoder.layer.{layer}.layer_scale{i}.lambda1"), vec![d]));
    }
    let (mut header, mut end) = (Map::new(), 0);
    for (name, shape) in shapes {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        let tensor = json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] });
        header.insert(name, tensor);
    }
    let header = Value::Object(header).to_string();
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    desk.write(name, &start);
    // The rest of the file is a hole, which reads as zeros.
    let file = File::options().write(true).open(desk.path(name)).unwrap();
    file.set_len((start.len() + end) as u64).unwrap();
}

#[test]
fn weights_of_hugging_face_are_found_checked_and_imported() {
    let desk = Desk::new();
    let hub = "home/.cache/huggingface/hub/models--facebook--dinov2-base/snapshots/f9e4";
    write_dinov2(&desk, &format!("{hub}/model.safetensors"));
    let listed = desk.good(&["weights", "ls"]);
    let line = listed.lines().find(|line| line.starts_with("dinov2-b ")).unwrap();
    assert!(line.ends_with("dinov2-base/snapshots/f9e4/model.safetensors"), "{listed}");
    assert!(listed.contains("clip-b32         absent: `clip-vit-base-patch32."), "{listed}");
    assert!(listed.contains("home/.cache/ersatz/weights, "), "{listed}");

    // There is nothing to download, but they are not the published ones.
    let found = desk.good(&["weights", "fetch", "dinov2-b"]);
    for part in ["snapshots/f9e4/model.safetensors: 223 tensors fit", "nobody published"] {
        assert!(found.contains(part), "{part}: {found}");
    }

    let file = desk.path(&format!("{hub}/model.safetensors"));
    let file = file.to_str().unwrap();
    let ours = desk.path("home/.cache/ersatz/weights/dinov2_vitb14_pretrain.pth");
    for _ in 0..2 {
        let imported = desk.good(&["weights", "import", "dinov2-b", file]);
        assert!(imported.contains(ours.to_str().unwrap()), "{imported}");
        assert_eq!(fs::metadata(&ours).unwrap().len(), fs::metadata(file).unwrap().len());
        assert_eq!(fs::read_dir(ours.parent().unwrap()).unwrap().count(), 1);
    }
    let listed = desk.good(&["weights", "ls"]);
    assert!(listed.contains(&format!("dinov2-b         {}", ours.display())), "{listed}");

    // What has the name already is not overwritten.
    fs::write(&ours, b"mine").unwrap();
    let told = desk.run(NOBODY, &["weights", "import", "dinov2-b", file]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("another file") && told.err.contains("not overwritten"));
    assert_eq!(fs::read(&ours).unwrap(), b"mine");
}

#[test]
fn a_file_that_is_no_weights_is_not_imported() {
    let desk = Desk::new();
    desk.write("vgg16-20240131.pth", b"no weights");
    let told = desk.run(NOBODY, &["weights", "import", "vgg16", "vgg16-20240131.pth"]);
    assert_eq!(told.code, 2, "{}", told.err);
    // The date is not taken for digits of a hash.
    assert!(told.err.contains("understand weights"), "{}", told.err);
    assert!(!desk.path("home").exists());
    desk.write("ours/vgg16-397923af.pth", b"damaged");
    let told = desk.run(NOBODY, &["weights", "fetch", "vgg16", "--to", "ours"]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("its name promises 397923af"), "{}", told.err);
}

#[test]
fn weights_that_nobody_gives_are_told_with_what_to_do() {
    let desk = Desk::new();
    let (gone, page) = (server("404 Not Found", ""), server("200 OK", "<html>"));
    for (mirror, why) in [
        (NOBODY, "/models/vgg16-397923af.pth: connection refused"),
        (gone.as_str(), "the server says 404 Not Found"),
        (page.as_str(), "it has 6 bytes, published are 553433881"),
    ] {
        let told = desk.run(mirror, &["weights", "fetch", "vgg16", "--to", "ours"]);
        assert_eq!(told.code, 1, "{}", told.err);
        let address = "hint: download https://download.pytorch.org/models/vgg16-397923af.pth,";
        for part in [why, address, "save it as `vgg16-397923af.pth` in ours", "`--weights`"] {
            assert!(told.err.contains(part), "{part}: {}", told.err);
        }
    }
    assert_eq!(fs::read_dir(desk.path("ours")).unwrap().count(), 0);
    let told = desk.run(NOBODY, &["metrics", "--real", "a", "--fake", "b"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("`ersatz weights fetch inception` downloads them"), "{}", told.err);
}

#[test]
fn official_data_are_downloaded_and_checked() {
    let desk = Desk::new();
    let wrong = server("200 OK", "other pictures");
    let told = desk.run(&wrong, &["data", "fetch", "stl10", "--to", "stl"]);
    assert_eq!(told.code, 1, "{}", told.err);
    for part in ["its MD5 is ", "published is 91f7769df0f17e558f3565bffb0c7dfb", "kept as `stl/"] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
    }
    assert!(told.err.contains("to download into stl: stl10_binary.tar.gz"), "{}", told.err);
    assert!(desk.path("stl/stl10_binary.tar.gz.refused").exists());
    assert!(!desk.path("stl/stl10_binary.tar.gz").exists());

    let told = desk.run(NOBODY, &["data", "fetch", "bloodmnist", "--file", "bloodmnist_46.npz"]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("did you mean `bloodmnist_64.npz`?"), "{}", told.err);
    // What people have to ask for is told, not tried.
    let told = desk.run(NOBODY, &["data", "fetch", "imagenet", "--to", "imagenet"]);
    assert!(told.code == 1 && told.err.contains("those who log in"), "{}", told.err);
    assert!(!told.err.contains("reach"), "{}", told.err);
}
