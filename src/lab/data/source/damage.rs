//! Damaged files of every binary format: an error that names the file, never a panic.
//!
//! 2,000 inputs for each of eleven kinds of files, each a valid file that was harmed
//! ([`Harm`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::{Codec, Source, fingerprint, load_sparse};
use crate::lab::data::subset::Subset;
use crate::lab::data::tests::{check_sparse, golden_files};
use crate::terms::{Files as _, MemoryFiles, Picture};
use crate::testing::harm::{Harm, harm};

/// Returns the files of a golden folder whose names begin so, without their ends.
fn some(folder: &str, names: &[&str]) -> (MemoryFiles, Vec<PathBuf>) {
    let all = golden_files(folder);
    let mut files = MemoryFiles::default();
    let mut paths = Vec::new();
    for (path, _) in all.list(Path::new("d")).unwrap() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if names.iter().any(|front| name.starts_with(front)) {
            files.insert(path.clone(), all.read(&path).unwrap());
            paths.push(path);
        }
    }
    assert!(!paths.is_empty(), "{folder} has {names:?}");
    (files, paths)
}

fn unpacked(archive: &str) -> (MemoryFiles, Vec<PathBuf>) {
    let (packed, paths) = some("data/cifar", &[archive]);
    let packed = packed.read(&paths[0]).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let (mut files, mut paths) = (MemoryFiles::default(), Vec::new());
    for member in archive.entries().unwrap() {
        let mut member = member.unwrap();
        let path = Path::new("d").join(member.path().unwrap().file_name().unwrap());
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut content).unwrap();
        files.insert(path.clone(), content);
        paths.push(path);
    }
    (files, paths)
}

/// A source, its files, and which of them may be harmed.
type Patient = (Source, MemoryFiles, Vec<PathBuf>);

fn patient(toml: &str, (files, paths): (MemoryFiles, Vec<PathBuf>)) -> Patient {
    (toml::from_str(toml).unwrap(), files, paths)
}

/// Harms one file and does all that a source is asked for; what it says names a file or a key.
/// Returns whether the data were refused.
fn endure(
    (source, files, paths): &Patient,
    which: usize,
    harm: &Harm,
) -> Result<bool, TestCaseError> {
    let mut files = files.clone();
    let path = &paths[which % paths.len()];
    let mut content = files.read(path).unwrap();
    harm.apply(&mut content);
    files.insert(path.clone(), content);
    let decode = |file: &[u8]| match file {
        [b'p', b'i', b'c', ..] | [0x89, b'P', b'N', b'G', ..] => Ok(Picture::filled(1, 1, [0; 3])),
        _ => Err("no picture".to_owned()),
    };
    let codec = Codec { decode: &decode, fit: &|picture| picture };
    let all = Subset::default();
    let found = check_sparse(source, &files);
    let loaded = load_sparse(source, &files, codec);
    if !found.0.is_empty() {
        prop_assert!(loaded.is_err(), "what the check refuses is not loaded: {found}");
    }
    let _ = fingerprint(source, &all, &files);
    let refused = loaded.is_err();
    for problem in found.0.into_iter().chain(loaded.err().unwrap_or_default().0) {
        let kind = source.kind();
        let key = problem.source.starts_with(kind);
        prop_assert!(key || problem.source.starts_with("d/"), "{problem}");
        prop_assert!(problem.source.len() < 300 && problem.found.len() < 600, "{problem}");
    }
    Ok(refused)
}

macro_rules! endures {
    ($($name:ident: $patient:expr;)*) => {
        $(#[test]
        fn $name() {
            let patient = $patient;
            let refused = AtomicUsize::new(0);
            let config = ProptestConfig::with_cases(2000);
            proptest!(config, |(which in 0..100_usize, harm in harm())| {
                refused.fetch_add(usize::from(endure(&patient, which, &harm)?), Ordering::Relaxed);
            });
            // The harm reaches what is read, and not every harm is noticed: a level may change.
            let refused = refused.into_inner();
            assert!(refused > 200 && refused < 2000, "{refused} of 2,000 were refused");
        })*
    };
}

endures! {
    cifar_binary: patient("[cifar]\npath = \"d\"", unpacked("cifar-100-binary"));
    cifar_pickles: patient("[cifar]\npath = \"d\"", unpacked("cifar-100-python"));
    cifar_archive: patient(
        "[cifar]\npath = \"d/cifar-100-python.tar.gz\"",
        some("data/cifar", &["cifar-100-py"])
    );
    idx_plain_and_packed:
        patient("[idx]\npath = \"d\"", some("data/idx", &["train", "t10k"]));
    stl10: {
        let mut files = MemoryFiles::default();
        let mut paths = Vec::new();
        for (name, content) in [
            ("d/train_X.bin", vec![7; 2 * 27_648]),
            ("d/train_y.bin", vec![1, 10]),
            ("d/test_X.bin", vec![7; 27_648]),
            ("d/test_y.bin", vec![3]),
        ] {
            files.insert(name, content);
            paths.push(PathBuf::from(name));
        }
        patient("[stl10]\npath = \"d\"", (files, paths))
    };
    svhn_packed_and_plain: patient("[svhn]\npath = \"d\"", some("data/svhn", &["train", "test"]));
    medmnist_packed:
        patient("[medmnist]\npath = \"d/grey.npz\"", some("data/medmnist", &["grey"]));
    medmnist_stored:
        patient("[medmnist]\npath = \"d/colour.npz\"", some("data/medmnist", &["colour"]));
    parquet: patient(
        "[parquet]\ntrain = \"d\"\ntest = \"d\"",
        some("data/parquet/split", &["train", "test"])
    );
    webdataset_cls: patient(
        "[webdataset]\ntrain = \"d/shard-000.tar\"\ntest = \"d/shard-001.tar\"",
        some("data/webdataset", &["shard"])
    );
    webdataset_json: patient(
        "[webdataset]\ntrain = \"d/shard-000.tar\"\ntest = \"d/shard-001.tar\"\n\
         json-key = \"label\"",
        some("data/webdataset", &["shard"])
    );
}
