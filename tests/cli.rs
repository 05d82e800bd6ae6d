//! What people see: broken experiment files, wrong data, runs that stop, and what each verb prints.
//!
//! `tests/cli/NAME.toml` is a broken experiment, `NAME.txt` all that the program says about it.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// An empty folder to work in, with its own store and reports.
struct Desk(tempfile::TempDir);

impl Desk {
    /// Returns a folder with nothing but the tiny experiment.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(input("tiny.toml"), folder.path().join("tiny.toml")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ersatz"));
        command.args(arguments).current_dir(self.0.path());
        command.env_remove("ERSATZ_CACHE").env_remove("ERSATZ_DATA");
        // Nobody listens there: tests need no network.
        command.env("ERSATZ_MIRROR", "http://127.0.0.1:1").env("NO_PROXY", "127.0.0.1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Told {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Told {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Runs what has to succeed and returns what it printed.
    fn good(&self, arguments: &[&str]) -> String {
        let told = self.run(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {}", told.err);
        told.out
    }

    fn table(&self) -> Vec<u8> {
        fs::read(self.path("reports/tiny/paper/table.json")).unwrap()
    }
}

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name)
}

/// Compares with a file of `tests/cli`; where it differs, what was said is left to be looked at.
fn same(name: &str, said: &str) -> Result<(), String> {
    let expected = fs::read_to_string(input(name)).unwrap_or_default();
    if expected == said {
        return Ok(());
    }
    let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&left, said).unwrap();
    Err(format!("{name} is not what the program says, which is in {}", left.display()))
}

/// A desk with the folders that the broken files point to.
fn desk_of_broken_files() -> Desk {
    let desk = Desk::new();
    for entry in fs::read_dir(input("")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, desk.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    for class in ["pictures/train/cat", "pictures/train/dog", "pictures/test/cat"] {
        desk.write(&format!("{class}/1.png"), b"");
    }
    for class in ["pictures/test/dog", "strangers/cat", "strangers/eel", "hollow/cat"] {
        desk.write(&format!("{class}/1.png"), b"");
    }
    desk.write("hollow/dog/readme.txt", b"no picture");
    desk
}

/// Says whether a message tells every mistake with all its parts.
fn well_told(said: &str) -> Result<(), String> {
    let (all, end) = said.trim_end().rsplit_once("\n\n").ok_or("no mistake, or no count")?;
    let mistakes: Vec<&str> = all.split("\n\n").collect();
    if !end.starts_with(&format!("{} mistake", mistakes.len())) {
        return Err(format!("{} mistakes told, but: {end}", mistakes.len()));
    }
    for mistake in mistakes {
        if !(mistake.starts_with("error: ") && mistake.contains(", expected ")) {
            return Err(format!("not a mistake: {mistake}"));
        }
        if !mistake.contains("\n  hint: ") {
            return Err(format!("no hint: {mistake}"));
        }
    }
    Ok(())
}

#[test]
fn every_broken_file_is_told_whole() {
    let desk = desk_of_broken_files();
    let mut checked = 0;
    let mut wrong = Vec::new();
    let mut names: Vec<_> = fs::read_dir(input(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml") && name != "tiny.toml")
        .collect();
    names.sort();
    for name in &names {
        let told = desk.run(&["run", name]);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{name}: {}", told.err);
        let place = format!("error: {name}:");
        let placed = told.err.lines().filter(|line| line.starts_with("error: "));
        for line in placed {
            let rest = line.strip_prefix(&place).unwrap_or_else(|| panic!("no place: {line}"));
            let numbers = rest.split(':').take(2).map(str::parse::<usize>);
            assert!(numbers.into_iter().all(|n| n.is_ok_and(|n| n > 0)), "{line}");
        }
        wrong.extend(well_told(&told.err).map_err(|what| format!("{name}: {what}")).err());
        wrong.extend(same(&name.replace(".toml", ".txt"), &told.err).err());
        checked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 12, "only {checked} broken files");
    assert!(!desk.path(".ersatz").exists(), "a wrong file leaves no store");
}

#[test]
fn mistakes_in_options_are_told_like_those_in_files() {
    let desk = Desk::new();
    let cases: [&[&str]; 4] = [
        &["plan", "tiny.toml", "--profile", "smal", "-o", "generator.pixel.guidence=1"],
        &["plan", "tiny.toml", "-o", "seeds", "-o", "data.size=big", "-o", "nothing=1"],
        &["plan", "tiny.toml", "--sweep", "data.sede=1,2", "--sweep", "data.seed=1,x"],
        &["plan", "tabel4"],
    ];
    let mut said = String::new();
    for arguments in cases {
        let told = desk.run(arguments);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{arguments:?}");
        well_told(&told.err).unwrap_or_else(|what| panic!("{arguments:?}: {what}"));
        said += &format!("$ ersatz {}\n{}\n", arguments.join(" "), told.err);
    }
    same("options.txt", &said).unwrap();
}

#[test]
fn data_of_the_user_that_are_wrong_stop_the_run_by_name() {
    let desk = Desk::new();
    desk.good(&["run", "tiny.toml"]);
    desk.good(&["export", "tiny.toml", "--to", "pictures"]);
    let classes = fs::read_dir(desk.path("pictures")).unwrap().count();
    assert_eq!(classes, 10);

    // What was exported is data like any other.
    let source = "data.source={ folder = { train = \"pictures\", test = \"pictures\" } }";
    let of_folder =
        ["run", "tiny.toml", "-o", source, "-o", "data.subset.per-class=5", "--store", "other"];
    desk.good(&of_folder);

    let mut files: Vec<_> =
        fs::read_dir(desk.path("pictures/3")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files[..2] {
        let whole = fs::read(file).unwrap();
        fs::write(file, &whole[..whole.len() / 2]).unwrap();
    }
    let told = desk.run(&of_folder);
    assert_eq!(told.code, 2, "{}", told.err);
    for file in &files[..2] {
        let name = format!("pictures/3/{}", file.file_name().unwrap().to_str().unwrap());
        assert!(told.err.contains(&format!("error: {name}: ")), "{name}: {}", told.err);
    }
    assert!(told.err.contains("a picture that can be read\n  hint: "), "{}", told.err);
    assert!(told.err.ends_with("mistakes found in the data\n"), "{}", told.err);
}

#[test]
fn a_training_that_diverges_says_where_and_what_to_do() {
    let desk = Desk::new();
    let rate = "classifier.small.training.recipe.learning-rate.peak=1e30";
    let told = desk.run(&["run", "tiny.toml", "-o", rate]);
    assert_eq!(told.code, 1, "{}", told.err);
    let last = told.err.lines().rev().find(|line| line.starts_with("error: ")).unwrap();
    for part in ["`classifier small on ", "diverged at step ", "lower learning rate"] {
        assert!(last.contains(part), "{part}: {last}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let long = ["run", "tiny.toml", "-o", "generator.pixel.training.recipe.steps=200"];
    let undisturbed = Desk::new();
    undisturbed.good(&long);

    let desk = Desk::new();
    let mut child =
        desk.command(&long).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let begun = lines.find(|line| line.starts_with("started") && line.contains("generator"));
    assert!(begun.is_some());
    let signal = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(signal.unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(rest.last().unwrap(), "interrupted: run the same command again to go on");
    assert!(rest.iter().any(|line| line.starts_with("stopping at the next safe point")));

    desk.good(&long);
    assert!(desk.table() == undisturbed.table(), "the tables differ");
}

#[test]
fn only_what_a_change_touches_runs_again() {
    let desk = Desk::new();
    let first = desk.good(&["run", "tiny.toml"]);
    assert!(first.contains("9 of 9 stages run"), "{first}");
    let table = desk.table();
    let again = desk.good(&["run", "tiny.toml"]);
    assert!(again.contains("0 of ") && again.contains(" stages run"), "{again}");
    assert!(desk.table() == table, "the tables differ");

    let guidance = "generator.pixel.guidance=3.0";
    let why = desk.good(&["why", "tiny.toml", "-o", guidance]);
    assert!(why.contains("guidance changed: 1.5 -> 3.0"), "{why}");
    let plan = desk.good(&["plan", "tiny.toml", "-o", guidance]);
    let of = |state: &str| plan.lines().filter(|line| line.starts_with(state)).collect::<Vec<_>>();
    let (runs, cached) = (of("runs ").join("\n"), of("cached ").join("\n"));
    for label in ["synthetic pictures", "on synthetic, seed 0", "gan-test by", "scores of"] {
        assert!(runs.contains(label) && !cached.contains(label), "{label}: {plan}");
    }
    for label in ["real pictures", "test of small on real"] {
        assert!(cached.contains(label), "{label}: {plan}");
    }
    assert!(
        !runs.contains("pixel generator") && !runs.contains("classifier small on real"),
        "{plan}"
    );
    let told = desk.run(&["run", "tiny.toml", "-o", guidance]);
    assert!(told.out.contains("5 of "), "{}", told.out);
    assert!(!told.err.contains("started      pixel generator"), "{}", told.err);
}

#[test]
fn results_are_json_where_it_is_asked_for() {
    let desk = Desk::new();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let plan = json(&desk.good(&["plan", "tiny.toml", "--json"]));
    assert_eq!(plan["stages"].as_array().unwrap().len(), 9);
    assert_eq!(plan["stages"][0]["state"], "runs");
    let early = desk.run(&["show", "tiny.toml"]);
    assert_eq!(early.code, 1);
    assert!(early.err.contains("run the experiment first"), "{}", early.err);

    let ran = json(&desk.good(&["run", "tiny.toml", "--json"]));
    let shown = json(&desk.good(&["show", "tiny.toml", "--json"]));
    assert_eq!(ran, shown);
    assert_eq!(json(&String::from_utf8(desk.table()).unwrap()), shown);
    assert!(desk.good(&["show", "tiny.toml"]).contains("| small "));
}

#[test]
fn a_result_that_left_its_interval_ends_with_code_3() {
    let desk = Desk::new();
    desk.good(&["run", "tiny.toml"]);
    let check = ["check", "tiny.toml", "--profile", "paper"];
    let own = desk.good(&[&check[..], &["--baseline", "reports/tiny/paper/table.json"]].concat());
    assert!(own.contains("numbers pass against reports/tiny/paper/table.json"), "{own}");
    assert!(own.contains("equal to the byte"), "{own}");
    let told = desk.run(&check);
    assert!(told.code == 2 && told.err.contains("--baseline"), "{}", told.err);

    let mut table: Value = serde_json::from_slice(&desk.table()).unwrap();
    let mean = &mut table["tables"][0]["rows"][0]["cells"][0]["estimate"]["mean"];
    *mean = Value::from(mean.as_f64().unwrap() * 2.0 + 1.0);
    desk.write("moved.json", table.to_string().as_bytes());
    let told = desk.run(&[&check[..], &["--baseline", "moved.json"]].concat());
    assert_eq!(told.code, 3, "{}", told.err);
    assert!(
        told.out.contains("fails  accuracy: small") && told.out.contains("(worse)"),
        "{}",
        told.out
    );
    assert!(told.err.contains("error: 1 of "), "{}", told.err);

    let empty = r#"{"experiment": "tiny", "profile": "paper", "tables": []}"#;
    let broken = [("absent.json", None), ("none.json", Some("{}")), ("empty.json", Some(empty))];
    for (name, content) in broken {
        content.inspect(|text| desk.write(name, text.as_bytes()));
        let told = desk.run(&[&check[..], &["--baseline", name]].concat());
        assert_eq!(told.code, 2);
        assert!(told.err.contains(&format!("`{name}`: ")), "{}", told.err);
    }
}

#[test]
fn a_report_is_written_again_from_the_store() {
    let desk = Desk::new();
    desk.good(&["run", "tiny.toml"]);
    let before = desk.table();
    fs::remove_dir_all(desk.path("reports")).unwrap();
    let said = desk.good(&["report", "tiny.toml"]);
    assert!(said.starts_with("report: reports/tiny/paper/index.html"), "{said}");
    assert!(desk.table() == before, "the tables differ");
}

#[test]
fn only_what_nobody_keeps_is_removed_and_only_when_told() {
    let desk = Desk::new();
    desk.good(&["run", "tiny.toml"]);
    desk.good(&["run", "tiny.toml", "-o", "generator.pixel.guidance=3.0"]);
    assert_eq!(desk.run(&["gc"]).code, 2);
    let keep = ["gc", "--keep", "tiny.toml@paper"];
    let said = desk.good(&keep);
    assert!(said.contains("5 artifacts would go"), "{said}");
    assert!(said.lines().filter(|line| line.starts_with("would remove")).count() == 5, "{said}");
    let said = desk.good(&[&keep[..], &["--delete"]].concat());
    assert!(said.starts_with("5 artifacts removed"), "{said}");
    assert!(desk.good(&keep).contains("0 artifacts would go"));
    let again = desk.good(&["run", "tiny.toml"]);
    assert!(again.contains("0 of ") && again.contains(" stages run"), "{again}");
    assert!(desk.good(&["gc", "--newer-than", "1"]).contains("0 artifacts would go"));
    assert!(desk.good(&["gc", "--newer-than", "0"]).contains("9 artifacts would go"));
}

#[test]
fn a_kept_experiment_is_kept_in_every_profile() {
    let desk = Desk::new();
    let profiles = "[profile.tiny]\nseeds = [3]\n\
                    [profile.far.data.source.folder]\ntrain = \"far/a\"\ntest = \"far/b\"\n";
    let text = fs::read_to_string(input("tiny.toml")).unwrap() + profiles;
    desk.write("scales.toml", text.as_bytes());
    desk.good(&["run", "scales.toml"]);
    desk.good(&["run", "scales.toml", "--profile", "paper"]);
    let said = desk.good(&["gc", "--keep", "scales.toml"]);
    assert!(said.contains("0 artifacts would go"), "{said}");
    let told = "not kept: scales.toml@far, which cannot run here (";
    assert!(said.starts_with(told) && said.contains("`far/a` does not exist"), "{said}");
    let said = desk.good(&["gc", "--keep", "scales.toml@tiny"]);
    assert!(!said.contains("0 artifacts would go"), "{said}");
    let told = desk.run(&["gc", "--keep", "scales.toml@far"]);
    assert_eq!(told.code, 2, "{}", told.err);
}

#[test]
fn nothing_is_removed_while_another_process_works() {
    let desk = Desk::new();
    desk.good(&["run", "tiny.toml"]);
    let store = ersatz::engine::Store::open(desk.path(".ersatz")).unwrap();
    let bench = store.bench(ersatz::terms::Key::of_bytes(b"something else")).unwrap();
    let told = desk.run(&["gc", "--newer-than", "0", "--delete"]);
    let want = format!("nothing is removed: process {} on ", std::process::id());
    assert!(told.code == 1 && told.err.contains(&want), "{}", told.err);
    assert_eq!(store.keys().unwrap().len(), 9);
    drop(bench);
    let said = desk.good(&["gc", "--newer-than", "0", "--delete"]);
    assert!(said.starts_with("9 artifacts removed"), "{said}");
}

#[test]
fn sweeps_and_seeds_multiply_the_stages() {
    let desk = Desk::new();
    let stages = |more: &[&str]| {
        let plan = desk.good(&[&["plan", "tiny.toml", "--json"], more].concat());
        let plan: Value = serde_json::from_str(&plan).unwrap();
        plan["stages"].as_array().unwrap().len()
    };
    // Data, generator, classifier and test of real pictures are shared by both guidances.
    assert_eq!(stages(&["--sweep", "generator.pixel.guidance=1,2"]), 4 + 2 * 5);
    // Data and generator are shared by both seeds.
    assert_eq!(stages(&["--seeds", "0,1"]), 2 + 2 * 7);
}

#[test]
fn the_committed_schema_is_current() {
    let desk = Desk::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/experiment.schema.json");
    let said = desk.good(&["schema"]);
    let schema: Value = serde_json::from_str(&said).unwrap();
    assert!(schema["properties"]["generator"].is_object());
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == said, "run `ersatz schema > docs/experiment.schema.json`");
}

#[test]
fn doctor_looks_at_the_machine() {
    let out = Desk::new().good(&["doctor"]);
    for part in ["ersatz ", "threads ", "store ", "0 entries", "data "] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

/// A picture file of one colour.
fn png(side: usize, level: u8) -> Vec<u8> {
    ersatz::lab::images::encode_png(&ersatz::terms::Picture::filled(side, side, [level, 0, 99]))
}

/// Folders in which one class is larger, and one test picture is a training picture.
fn desk_of_pictures() -> Desk {
    let desk = Desk::new();
    for (part, count) in [("train", 6), ("test", 2)] {
        for (class, side, level) in [("cat", 8, 0), ("dog", 16, 100)] {
            for i in 0..count {
                let level = level + i + if part == "test" { 50 } else { 0 };
                desk.write(&format!("pictures/{part}/{class}/{i}.png"), &png(side, level));
            }
        }
    }
    desk.write("pictures/test/cat/1.png", &png(8, 3));
    desk
}

#[test]
fn data_are_listed_looked_at_and_checked() {
    let desk = desk_of_pictures();
    desk.write("svhn/train_32x32.mat", b"half a download");
    desk.write("idx/train-images-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28]);
    for file in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        desk.write(&format!("idx/{file}"), &[0, 0, 8, 1, 0, 0, 0, 0]);
    }
    desk.write("torn/train/cat/1.png", &png(8, 1)[..50]);
    desk.write("torn/val/cat/1.png", &png(8, 2));
    let cases: [(&[&str], i32); 9] = [
        (&["data", "ls"], 0),
        (&["data", "inspect", "tiny.toml", "--sheet", "digits.png"], 0),
        (&["data", "inspect", "--folder", "pictures"], 0),
        (&["data", "inspect", "--folder", "torn"], 2),
        (&["data", "inspect", "--folder", "nowhere"], 2),
        (&["data", "inspect", "--source", "idx = { path = \"idx\" }"], 2),
        (&["data", "fetch", "svhn", "--to", "svhn"], 1),
        (&["data", "fetch", "bloodmnist", "--to", "med"], 1),
        (&["data", "fetch", "cifar-11"], 2),
    ];
    let mut said = String::new();
    for (arguments, code) in cases {
        let told = desk.run(arguments);
        assert_eq!(told.code, code, "{arguments:?}: {}", told.err);
        said += &format!("$ ersatz {}\n{}{}\n", arguments.join(" "), told.out, told.err);
    }
    same("data.txt", &said).unwrap();
    for sheet in ["digits.png", "sheet.png"] {
        let file = fs::read(desk.path(sheet)).unwrap();
        assert!(ersatz::lab::images::decode(&file).is_ok(), "{sheet} is a picture");
    }
}

#[test]
fn a_declared_table_and_a_front_show_what_a_sweep_measured() {
    let desk = Desk::new();
    let declared = "report.table.mine={ \
                    values = ['fid', 'fid-test', 'top1', 'real:top5', 'difference'], \
                    published = 'azizi-2023/table1', published-rows = { '2.0' = 'ours-64' }, \
                    published-columns = { fid = 'fid-train' } }";
    let by_mix = "report.table.mixes={ rows = 'mixes', values = ['top1'] }";
    let figures = "report.figures=['sweep', 'scale', { front = { x = 'fid', y = 'top1' } }]";
    let sweep = [
        "--sweep",
        "generator.pixel.guidance=1.0,2.0",
        "--sweep",
        "generator.pixel.clip=true,false",
    ];
    let more = "mix.both.synthetic=1.0";
    let run = ["run", "tiny.toml", "-o", declared, "-o", by_mix, "-o", figures, "-o", more];
    let against = ["-o", "metrics.also-against=['test']"];
    desk.good(&[&run[..], &sweep, &against].concat());
    let report: Value = serde_json::from_slice(&desk.table()).unwrap();
    let table = |name: &str| {
        let tables = report["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).unwrap()
    };
    let columns = |name: &str| -> Vec<String> {
        let columns = table(name)["columns"].as_array().unwrap();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
    };
    let want = ["fid", "fid-test", "top1", "real:top5", "difference", "fid, paper"];
    assert_eq!(columns("mine"), want);
    let rows = table("mine")["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["labels"], serde_json::json!(["2.0", "false"]));
    let mean = |row: usize, column: usize, kind: &str| &rows[row]["cells"][column][kind]["mean"];
    let number = |value: &Value| value.as_f64().unwrap();
    // What the columns hold is what the other tables hold.
    let of = |table: &Value, row: usize, column: usize| {
        table["rows"][row]["cells"][column]["estimate"]["mean"].clone()
    };
    assert_eq!(*mean(1, 0, "estimate"), of(table("scores"), 1, 0));
    assert_eq!(*mean(1, 1, "estimate"), of(table("scores"), 1, 1));
    assert_ne!(mean(1, 0, "estimate"), mean(1, 1, "estimate"));
    let reference = |row: usize, column: usize| {
        rows[row]["cells"][column]["estimate"]["protocol"].as_str().unwrap().to_owned()
    };
    assert!(reference(0, 0).ends_with("ref=train]") && reference(0, 1).ends_with("ref=test]"));
    let accuracies = table("accuracy");
    assert_eq!(*mean(2, 2, "estimate"), of(accuracies, 2, 1));
    let real = number(&of(accuracies, 2, 0));
    let difference = number(mean(2, 2, "estimate")) - real;
    assert!((number(mean(2, 4, "difference")) - difference).abs() < 1e-12);
    assert!(number(mean(2, 3, "estimate")) >= real, "top-5 holds top-1");
    // Labels are joined: no row of ours is called `2.0` alone.
    assert!(rows.iter().all(|row| row["cells"][5] == "empty"), "{rows:#?}");

    assert_eq!(columns("mixes")[..2], ["top1, 1.0, true", "top1, 1.0, false"]);
    let mixes = table("mixes")["rows"].as_array().unwrap();
    assert_eq!(mixes[1]["labels"], serde_json::json!(["synthetic (cas)"]));
    assert_eq!(mixes[1]["cells"][2]["estimate"]["mean"], of(accuracies, 2, 1));

    let front =
        fs::read_to_string(desk.path("reports/tiny/paper/plots/front-fid-top1.svg")).unwrap();
    assert!(front.contains("guidance 2.0, clip false"), "the marks are named");
    // A legend is broken into lines.
    let scale = fs::read_to_string(desk.path("reports/tiny/paper/plots/scale.svg")).unwrap();
    let words = scale.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text);
    let text: String = words.flat_map(str::split_whitespace).collect();
    for at in ["guidance1.0,cliptrue", "guidance2.0,clipfalse"] {
        assert!(text.contains(at), "a curve for each combination: {text}");
    }
}

#[test]
fn a_later_experiment_takes_the_point_that_a_sweep_found_best() {
    let desk = Desk::new();
    let sweep = ["run", "tiny.toml", "--sweep", "generator.pixel.guidance=1.0,4.0"];
    desk.good(&sweep);
    let points_file = fs::read(desk.path("reports/tiny/paper/points.json")).unwrap();
    let points: Value = serde_json::from_slice(&points_file).unwrap();
    let all = points["points"].as_array().unwrap();
    let fids: Vec<f64> = all.iter().map(|it| it["values"]["fid"].as_f64().unwrap()).collect();
    let key = "generator.pixel.guidance";
    let best = &all[usize::from(fids[1] < fids[0])]["settings"][key];
    assert_eq!(points["better"]["fid"], "lower");
    assert_eq!(points["better"]["real:top1"], "higher");

    let text = fs::read_to_string(desk.path("tiny.toml")).unwrap();
    let point = "[point]\nreport = \"reports/tiny/paper\"\nbest = [\"fid\"]\n";
    desk.write("later.toml", format!("{text}\n{point}").as_bytes());
    desk.good(&["run", "later.toml"]);
    let report =
        |file: &str| fs::read_to_string(desk.path("reports/later/paper").join(file)).unwrap();
    let manifest: Value = serde_json::from_str(&report("manifest.json")).unwrap();
    let said = |manifest: &Value| manifest["resolved"][0]["toml"].as_str().unwrap().to_owned();
    assert!(said(&manifest).contains(&format!("guidance = {best}")), "{}", said(&manifest));
    let note = format!("From reports/tiny/paper, best by fid: guidance {best}.");
    assert!(report("report.md").contains(&note), "{}", report("report.md"));
    assert!(!desk.path("reports/later/paper/points.json").exists(), "nothing is swept here");
    // The command line counts more.
    desk.good(&["run", "later.toml", "-o", "generator.pixel.guidance=2.5"]);
    let manifest: Value = serde_json::from_str(&report("manifest.json")).unwrap();
    assert!(said(&manifest).contains("guidance = 2.5"));
    assert!(report("report.md").contains("best by fid: all its settings are replaced here."));

    // All that can be wrong with it.
    let wrong = [
        ("point.report='nowhere'", "nowhere/points.json"),
        ("point.best=['fdi']", "did you mean `fid`?"),
        ("point.best=[]", "at least 1"),
        ("generator={ announced = {} }", "`[generator.pixel]`"),
        ("point.report='edited'", "expected a number"),
    ];
    let points = String::from_utf8(points_file).unwrap();
    desk.write("edited/points.json", points.replace(&format!(": {best}"), ": \"much\"").as_bytes());
    for (option, part) in wrong {
        let told = desk.run(&["plan", "later.toml", "-o", option]);
        assert_eq!(told.code, 2, "{option}: {}", told.out);
        assert!(told.err.contains(part), "{option}: {}", told.err);
    }
}
