//! What data can be read, and whether the files of well-known data sets are here and whole.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::lab::data::{Found, OFFICIAL, Official, OfficialFile, Source};
use crate::terms::{Files, Problem, nearest};

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
    page += "\ndata sets: `ersatz data fetch NAME` downloads what is missing and checks what is there\n";
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
    official: &'static Official,
    /// Files that are not here.
    absent: Vec<Absent>,
    /// Whether none of the files is needed any more.
    enough: bool,
}

/// A file of a data set that is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Where it lies.
    pub address: String,
    /// Where it shall lie.
    pub path: PathBuf,
    file: OfficialFile,
}

impl Fetched {
    /// Returns what is to be downloaded: all that is missing, or where one file is enough, the
    /// first or the one that was named. None where people have to ask for the files.
    ///
    /// # Errors
    /// If the data set has no file of that name.
    pub fn wanted(&self, named: Option<&str>) -> Result<Vec<&Absent>, Problem> {
        let all = self.official.files;
        let absent = || self.absent.iter().filter(|_| !self.official.is_page());
        let Some(name) = named else {
            let count = match (self.enough, self.official.any) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => all.len(),
            };
            return Ok(absent().take(count).collect());
        };
        if !all.iter().any(|file| file.name == name) {
            let names: Vec<String> = all.iter().map(|file| format!("`{}`", file.name)).collect();
            let near = nearest(name, all.iter().map(|file| file.name));
            let (found, expected) = (format!("`{name}`"), format!("one of {}", names.join(", ")));
            return Err(Problem::new("--file", found, expected).hint_near(near));
        }
        Ok(absent().filter(|absent| absent.file.name == name).collect())
    }
}

impl Absent {
    /// Returns whether a sum is known by which [`Self::check`] could refuse a file.
    pub fn has_sum(&self) -> bool {
        !self.file.md5.is_empty()
    }

    /// Makes sure that a file, whatever it is called, is this one.
    ///
    /// # Errors
    /// If not: a lower-case fragment that says why.
    pub fn check(&self, path: &Path, files: &dyn Files) -> Result<(), String> {
        match self.file.compare_at(path, files).map_err(|error| error.to_string())? {
            Found::Official | Found::Unknown => Ok(()),
            Found::Missing => Err("it is not there".to_owned()),
            Found::Other(sum) => Err(format!("its MD5 is {sum}, published is {}", self.file.md5)),
        }
    }
}

/// Looks for the files of a data set in a folder and compares their sums. Nothing is downloaded
/// here: the page says from where to where.
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
        let line = match found {
            Found::Official => {
                whole.push(file.name);
                "here, MD5 as published".to_owned()
            }
            Found::Unknown => {
                whole.push(file.name);
                "here; no MD5 is known to compare".to_owned()
            }
            Found::Other(sum) => {
                damaged.push(file.name);
                format!("here, but not the official file: MD5 {sum}, published {}", file.md5)
            }
            Found::Missing => {
                let address = official.address_of(file);
                absent.push(Absent { address, path: (&path).into(), file: *file });
                "not here".to_owned()
            }
        };
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
            let names: Vec<&str> = absent.iter().map(|absent| absent.file.name).collect();
            let joined = names.join(if official.any { " or " } else { ", " });
            let asked =
                if official.is_page() { " (its page gives them to those who log in)" } else { "" };
            missing.push(format!("to download into {folder}{asked}: {joined}"));
        }
    }
    let missing = (!missing.is_empty()).then(|| missing.join("; "));
    Ok(Fetched { page, missing, official, absent, enough: whole.len() >= needed })
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
        let Fetched { page, missing, .. } = fetch("cifar-10", "d", &files).unwrap();
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

    #[test]
    fn what_is_missing_is_wanted_once() {
        let mut files = MemoryFiles::default();
        let wanted = |data: &str, named: Option<&str>, files: &MemoryFiles| {
            let fetched = fetch(data, "d", files).unwrap();
            let wanted = fetched.wanted(named).map_err(|problem| problem.to_string())?;
            Ok::<_, String>(wanted.iter().map(|it| it.address.clone()).collect::<Vec<_>>())
        };
        let svhn = ["train", "test"]
            .map(|part| format!("http://ufldl.stanford.edu/housenumbers/{part}_32x32.mat"));
        assert_eq!(wanted("svhn", None, &files).unwrap(), svhn);
        files.insert("d/train_32x32.mat", vec![1]); // Damaged: told, not overwritten.
        assert_eq!(wanted("svhn", None, &files).unwrap(), svhn[1..]);
        // Of several forms one is enough, and another is wanted by name only.
        let med =
            |size: &str| format!("https://zenodo.org/records/10519652/files/bloodmnist{size}.npz");
        assert_eq!(wanted("bloodmnist", None, &files).unwrap(), [med("")]);
        assert_eq!(wanted("bloodmnist", Some("bloodmnist_64.npz"), &files).unwrap(), [med("_64")]);
        let said = wanted("bloodmnist", Some("bloodmnist_46.npz"), &files).unwrap_err();
        assert!(said.contains("did you mean `bloodmnist_64.npz`?"), "{said}");
        files.insert("d/cifar-10-binary.tar.gz", vec![1]);
        assert_eq!(wanted("cifar-10", None, &files).unwrap(), [""; 0]);
        // Behind a login.
        assert_eq!(wanted("imagenet", None, &files).unwrap(), [""; 0]);
        let missing = fetch("imagenet", "d", &files).unwrap().missing.unwrap();
        assert!(missing.contains("log in") && missing.contains("img_val.tar"), "{missing}");
    }

    #[test]
    fn a_download_is_checked_under_any_name() {
        let mut files = MemoryFiles::default();
        files.insert("d/x.part", b"abc".to_vec());
        let fetched = fetch("svhn", "d", &files).unwrap();
        let absent = fetched.wanted(None).unwrap()[0].clone();
        assert!(absent.has_sum());
        let said = absent.check(Path::new("d/x.part"), &files).unwrap_err();
        // RFC 1321, A.5.
        assert!(said.starts_with("its MD5 is 900150983cd24fb0d6963f7d28e17f72,"), "{said}");
        assert_eq!(absent.check(Path::new("d/y"), &files).unwrap_err(), "it is not there");
        let file = OfficialFile { md5: "900150983cd24fb0d6963f7d28e17f72", ..absent.file };
        assert_eq!(Absent { file, ..absent }.check(Path::new("d/x.part"), &files), Ok(()));
    }
}
