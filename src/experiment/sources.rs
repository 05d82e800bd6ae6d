//! What data can be read, and whether the files of well-known data sets are here and whole.

use std::fmt::Write as _;
use std::path::Path;

use crate::lab::data::{Found, OFFICIAL, Official, Source};
use crate::terms::{Files, Problem};

/// What each source reads, in the order of the reference.
const READS: [(&str, &str); 12] = [
    ("digits", "1,797 handwritten digits of 8 x 8 pixels, in the program itself"),
    ("folder", "picture files, one folder per class: `train/cat/1.png`"),
    ("parquet", "Hugging Face image data: `train-00000-of-00001.parquet`"),
    ("shapes", "pictures that the program draws: shape, colour, texture, background, position"),
    ("cifar", "CIFAR-10 and CIFAR-100, binary or pickled, in a folder or as `.tar.gz`"),
    ("idx", "MNIST, Fashion-MNIST, KMNIST, EMNIST: `train-images-idx3-ubyte.gz` and three more"),
    ("stl10", "STL-10: `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin`"),
    ("svhn", "house numbers, cropped: `train_32x32.mat`, `test_32x32.mat`"),
    ("medmnist", "MedMNIST, one class per picture: `bloodmnist_64.npz`"),
    ("tiny-imagenet", "Tiny ImageNet, unpacked: `train`, `val`, `wnids.txt`, `words.txt`"),
    ("imagenet", "ImageNet: folders by synset, and a flat test folder with a map, or folders"),
    ("webdataset", "tar shards of `key.jpg` and `key.cls` or `key.json`: `train-{000..009}.tar`"),
];

/// Returns a page with all sources and all data sets that can be fetched.
pub fn sources() -> String {
    let mut page = "sources: what a file may say under [data.source]\n".to_owned();
    for (kind, reads) in READS {
        let _ = writeln!(page, "  {kind:14}  {reads}");
    }
    page +=
        "\ndata sets: `ersatz data fetch NAME` says what to download, and checks what is there\n";
    for official in OFFICIAL {
        let _ = writeln!(page, "  {:14}  {}", official.name, official.what);
        let _ = writeln!(page, "  {:14}  {}", "", official.address);
    }
    page
}

/// Returns the source in a declaration as a file has it under `data`: `folder = { .. }`.
///
/// # Errors
/// If it is none; `option` is what the user wrote it behind.
pub fn source_of(option: &str, declared: &str) -> Result<Source, Problem> {
    toml::from_str(declared).map_err(|error| {
        let kinds = READS.map(|(kind, _)| format!("`{kind}`")).join(", ");
        let found = error.message().lines().next().unwrap_or_default().to_owned();
        Problem::new(option, found, format!("a source: one of {kinds}"))
            .hint("for instance `svhn = { path = \"data/svhn\" }`")
    })
}

/// What was found of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What to tell the user.
    pub page: String,
    /// What is missing or damaged, if the data set cannot be read yet.
    pub missing: Option<String>,
}

/// Looks for the files of a data set in a folder and compares their sums. Nothing is downloaded:
/// the page says from where to where.
///
/// # Errors
/// If there is no such data set, or a file cannot be read.
pub fn fetch(name: &str, folder: &str, files: &dyn Files) -> Result<Fetched, Problem> {
    let official = Official::find(name)?;
    let mut page = format!("{name}: {}\n", official.what);
    if official.any {
        page += "one of these files is enough\n";
    }
    let (mut whole, mut damaged, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for file in official.files {
        let path = Path::new(folder).join(file.name).display().to_string();
        let found = file
            .compare(folder, files)
            .map_err(|e| Problem::new(path.clone(), e.to_string(), "a file that can be read"))?;
        let (list, line) = match found {
            Found::Official => (&mut whole, "here, MD5 as published".to_owned()),
            Found::Unknown => (&mut whole, "here; no MD5 is known to compare".to_owned()),
            Found::Other(sum) => {
                let line = "here, but not the official file";
                (&mut damaged, format!("{line}: MD5 {sum}, published {}", file.md5))
            }
            Found::Missing => (&mut absent, "not here".to_owned()),
        };
        list.push(file.name);
        let _ = writeln!(page, "  {path}: {line}");
        if whole.last() != Some(&file.name) {
            let _ = writeln!(page, "    from {}", official.address_of(file));
            if !file.md5.is_empty() {
                let _ = writeln!(page, "    MD5 {}", file.md5);
            }
        }
    }
    if !official.unpack.is_empty() {
        let _ = writeln!(page, "\nthen unpack {}", official.unpack.replace("DIR", folder));
    }
    let mut declared = official.declared.replace("DIR", folder);
    if let (true, Some(found)) = (official.any, whole.first()) {
        declared = declared.replace(official.files[0].name, found);
    }
    let _ = writeln!(page, "\nthen, in an experiment file:\n  [data.source]\n  {declared}");
    let needed = if official.any { 1 } else { official.files.len() };
    let mut missing = Vec::new();
    if whole.len() < needed {
        if !damaged.is_empty() {
            missing.push(format!("not the official file: {}", damaged.join(", ")));
        }
        if !absent.is_empty() {
            let joined = absent.join(if official.any { " or " } else { ", " });
            missing.push(format!("to download into {folder}: {joined}"));
        }
    }
    let missing = (!missing.is_empty()).then(|| missing.join("; "));
    Ok(Fetched { page, missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    #[test]
    fn every_source_of_the_schema_is_told() {
        let schema = serde_json::to_value(schemars::schema_for!(Source)).unwrap();
        let choices = schema["oneOf"].as_array().unwrap();
        let kinds: Vec<String> = choices
            .iter()
            .flat_map(|choice| choice["properties"].as_object().unwrap().keys().cloned())
            .collect();
        let told: Vec<&str> = READS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(told, kinds);
    }

    #[test]
    fn a_declaration_that_is_none_is_told() {
        assert_eq!(source_of("--source", "digits = {}").unwrap(), Source::default());
        let problem = source_of("--source", "svnh = { path = \"x\" }").unwrap_err().to_string();
        assert!(problem.starts_with("--source: unknown variant `svnh`"), "{problem}");
    }

    #[test]
    fn what_is_whole_is_enough() {
        let mut files = MemoryFiles::default();
        files.insert("d/cifar-10-binary.tar.gz", vec![1]);
        assert_eq!(fetch("cifar-10", "d", &files).unwrap().missing, None);
        // One whole file is enough, whatever the others are, and it is the one that is declared.
        files.insert("d/cifar-10-python.tar.gz", vec![1]);
        let Fetched { page, missing } = fetch("cifar-10", "d", &files).unwrap();
        assert_eq!(missing, None);
        assert!(
            page.contains("d/cifar-10-python.tar.gz: here, but not the official file"),
            "{page}"
        );
        assert!(page.ends_with("cifar = { path = \"d/cifar-10-binary.tar.gz\" }\n"), "{page}");
        let mut files = MemoryFiles::default();
        files.insert("d/cifar-10-python.tar.gz", vec![1]);
        let missing = fetch("cifar-10", "d", &files).unwrap().missing.unwrap();
        assert_eq!(
            missing,
            "not the official file: cifar-10-python.tar.gz; \
             to download into d: cifar-10-binary.tar.gz"
        );
        let missing = fetch("svhn", "d", &files).unwrap().missing.unwrap();
        assert!(missing.ends_with("d: train_32x32.mat, test_32x32.mat"), "{missing}");
        // What is declared of ImageNet is not in the archives as they come.
        let page = fetch("imagenet", "d", &files).unwrap().page;
        for told in
            ["then unpack ILSVRC2012_img_val.tar into d/val", "d/LOC_val_solution.csv is in"]
        {
            assert!(page.contains(told), "{page}");
        }
    }
}
