//! One folder per class, as torchvision's `ImageFolder` reads it.
//!
//! `root/<class>/**` holds the pictures; the extensions png, jpg, jpeg, webp and bmp count in any
//! case. The class index is the position of the folder's name in byte order, unless `classes.txt`
//! (one name a line) or `class_to_idx.json` (an object from name to index), in the root or beside
//! it, pins another.
//!
//! DIFFERS: torchvision reads hidden files and folders, and also ppm, pgm, tif and tiff; we do not.
//! It sorts the files of a folder before those of folders inside it; we sort relative paths by
//! bytes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::Content;
use super::reader::{Part, Reader, absent, parts};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Key, Problem, Problems, nearest};

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Trees of pictures with one folder per class, as torchvision's `ImageFolder` reads them: a class
/// is a folder, its index the place of its name in byte order. A file `classes.txt` (one name a
/// line) or `class_to_idx.json`, in a tree or beside it, pins another order. Pictures: png, jpg,
/// jpeg, webp, bmp, at any depth inside the class. All trees must have the same classes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Folder {
    /// Path of the training tree.
    pub train: String,
    /// Path of the validation tree; absent: validation pictures are held out of the training tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Path of the test tree.
    pub test: String,
    /// Share of each class of the training tree to hold out for validation where there is no `val`.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

impl Folder {
    fn parts(&self) -> Parts<Part<'_>> {
        parts(Self::KIND, &self.train, self.val.as_deref(), &self.test)
    }
}

impl Reader for Folder {
    const KIND: &'static str = "folder";
    type Place = PathBuf;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(
        &self,
        subset: &Subset,
        files: &dyn Files,
    ) -> Result<Parts<Listing<PathBuf>>, Problems> {
        self.parts().map(|part| list(&part, subset, files))
    }

    /// Makes sure that each class has a picture, and looks no further.
    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        self.parts().map(|part| Ok(pictures(&part, subset, files, 1)?.0))
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<PathBuf>],
        files: &dyn Files,
        look: impl Fn(&Entry<PathBuf>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        see(entries, files, look)
    }

    fn fingerprint(&self, subset: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let hashed = self.parts().map(|part| fingerprint(&part, subset, files))?;
        let classes = json!(hashed.train.0);
        let inputs: Vec<_> = hashed.all().flat_map(|(_, inputs)| inputs).collect();
        Ok(Key::of_stage(Self::KIND, 1, &classes, &inputs))
    }
}

/// Lists a tree; only the chosen classes are looked into.
pub(super) fn list(
    part: &Part<'_>,
    subset: &Subset,
    files: &dyn Files,
) -> Result<Listing<PathBuf>, Problems> {
    let (classes, found) = pictures(part, subset, files, usize::MAX)?;
    let mut entries = Vec::new();
    for (class, paths) in classes.ids().zip(found) {
        let entry = |path: PathBuf| Entry { id: relative(&path, part.path), class, place: path };
        let mut of_class: Vec<_> = paths.into_iter().map(entry).collect();
        of_class.sort_by(|a, b| a.id.cmp(&b.id));
        entries.extend(of_class);
    }
    Ok(Listing { classes, entries })
}

/// Shows picture files that lie one by one; for every source that has such.
pub(super) fn see<T: Send>(
    entries: &[Entry<PathBuf>],
    files: &dyn Files,
    look: impl Fn(&Entry<PathBuf>, Content<'_>) -> Result<T, String> + Sync,
) -> Vec<Result<T, Problem>> {
    let see = |entry: &Entry<PathBuf>| {
        let problem = |found: String| {
            Problem::new(entry.place.to_string_lossy(), found, "a picture that can be read")
                .hint("replace the file or take it out")
        };
        let bytes = files.read(&entry.place).map_err(|e| problem(e.to_string()))?;
        look(entry, Content::File(&bytes)).map_err(problem)
    };
    entries.par_iter().map(see).collect()
}

/// Returns the class names of a tree, and the keys of its pictures by part and relative path.
fn fingerprint(
    part: &Part<'_>,
    subset: &Subset,
    files: &dyn Files,
) -> Result<(ClassNames, Vec<(String, Key)>), Problems> {
    let Listing { classes, entries } = list(part, subset, files)?;
    Ok((classes, keys(&part.key, &entries, files)?))
}

/// Returns the keys of picture files by part and id.
pub(super) fn keys(
    part: &str,
    entries: &[Entry<PathBuf>],
    files: &dyn Files,
) -> Result<Vec<(String, Key)>, Problem> {
    let hash = |entry: &Entry<PathBuf>| {
        let content = files.read(&entry.place).map_err(|e| {
            let source = entry.place.to_string_lossy();
            Problem::new(source, e.to_string(), "a picture that can be read")
        });
        Ok((format!("{part}/{}", entry.id), Key::of_bytes(&content?)))
    };
    entries.par_iter().map(hash).collect()
}

/// Returns a key of picture files whose classes do not follow from their ids alone.
pub(super) fn labelled_key(
    kind: &str,
    parts: Parts<(String, Listing<PathBuf>)>,
    subset: &Subset,
    files: &dyn Files,
) -> Result<Key, Problems> {
    let hashed = parts.map(|(part, listing)| {
        let kept = subset.kept_in(&listing.classes, &part)?;
        let Listing { classes, entries } = listing.narrow(&kept);
        let labels: Vec<ClassId> = entries.iter().map(|entry| entry.class).collect();
        Ok((json!({"classes": classes, "labels": labels}), keys(&part, &entries, files)?))
    })?;
    let (labels, inputs): (Vec<_>, Vec<_>) = hashed.all().unzip();
    let inputs: Vec<_> = inputs.into_iter().flatten().collect();
    Ok(Key::of_stage(kind, 1, &json!(labels), &inputs))
}

/// Returns the chosen classes and at most `limit` pictures of each.
pub(super) fn pictures(
    part: &Part<'_>,
    subset: &Subset,
    files: &dyn Files,
    limit: usize,
) -> Result<(ClassNames, Vec<Vec<PathBuf>>), Problems> {
    let all = classes(part, files)?;
    let kept: Vec<ClassId> = subset.kept_in(&all, &part.key)?;
    let names = ClassNames::new(kept.iter().map(|class| all.name(*class)));
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for name in names.iter() {
        let folder = Path::new(part.path).join(name);
        let mut paths = Vec::new();
        match walk(&folder, files, limit, &mut paths) {
            Err(e) => problems.push(Problem::new(
                part.key.clone(),
                format!("class `{name}` cannot be listed ({e})"),
                "a folder that can be read",
            )),
            Ok(()) if paths.is_empty() => {
                let found =
                    format!("class `{name}` is empty: no picture in `{}`", folder.display());
                let expected = format!("at least one file of {}", EXTENSIONS.join(", "));
                let problem = Problem::new(part.key.clone(), found, expected);
                problems.push(problem.hint("add pictures, or name the others in `subset.classes`"));
            }
            Ok(()) => found.push(paths),
        }
    }
    if problems.is_empty() { Ok((names, found)) } else { Err(Problems(problems)) }
}

/// Makes sure that these entries, whose classes a file of labels tells, are the pictures of a flat
/// folder, each once. `key` is that of the folder.
pub(super) fn labelled_once(
    key: &str,
    labels: &Path,
    folder: &Path,
    entries: &[Entry<PathBuf>],
    files: &dyn Files,
) -> Result<(), Problem> {
    let labels = labels.to_string_lossy();
    let and_more = |count: usize| match count {
        1 => String::new(),
        _ => format!(" and {} more", count - 1),
    };
    let mut named = BTreeSet::new();
    if let Some(twice) = entries.iter().find(|entry| !named.insert(entry.place.as_path())) {
        let found = format!("`{}` twice", twice.id);
        return Err(Problem::new(labels, found, "every picture once"));
    }
    let listed = files.list(folder).map_err(|e| {
        Problem::new(key, e.to_string(), "the folder of the pictures that have labels")
    })?;
    let there: BTreeSet<&Path> =
        listed.iter().filter(|(_, is_folder)| !is_folder).map(|(path, _)| path.as_path()).collect();
    let missing: Vec<_> =
        entries.iter().filter(|entry| !there.contains(entry.place.as_path())).collect();
    if let Some(first) = missing.first() {
        let more = and_more(missing.len());
        let found = format!("no `{}`{more} in `{}`", first.id, folder.display());
        return Err(Problem::new(key, found, format!("all pictures of `{labels}`")));
    }
    let nameless = |path: &&&Path| is_picture(path) && !hidden(path) && !named.contains(**path);
    let nameless: Vec<_> = there.iter().filter(nameless).collect();
    if let Some(first) = nameless.first() {
        let more = and_more(nameless.len());
        let found = format!("no line for `{}`{more}", first.display());
        return Err(Problem::new(labels, found, "a line for every picture of the folder")
            .hint("the file is cut short, or belongs to other pictures"));
    }
    Ok(())
}

/// Adds the pictures of a folder at any depth, until there are `limit`.
pub(super) fn walk(
    folder: &Path,
    files: &dyn Files,
    limit: usize,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
    for (path, is_folder) in files.list(folder)? {
        if found.len() >= limit {
            break;
        }
        if hidden(&path) {
            continue;
        }
        if is_folder {
            walk(&path, files, limit, found)?;
        } else if is_picture(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns the class names of a tree in their order.
fn classes(part: &Part<'_>, files: &dyn Files) -> Result<ClassNames, Problems> {
    let root = Path::new(part.path);
    let problem = |found: String| Problem::new(part.key.clone(), found, "one folder per class");
    match files.is_folder(root) {
        None => return Err(absent(part, "a folder with one folder per class", files).into()),
        Some(false) => return Err(problem(format!("`{}` is a file", part.path)).into()),
        Some(true) => {}
    }
    let entries = files.list(root).map_err(|e| problem(e.to_string()))?;
    let folders = entries.iter().filter(|(path, is_folder)| *is_folder && !hidden(path));
    let mut names = BTreeSet::new();
    for (path, _) in folders {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| problem(format!("`{}` is not UTF-8", path.display())))?;
        names.insert(name.to_owned());
    }
    if names.is_empty() {
        return Err(problem(format!("`{}` has no class folders", part.path)).into());
    }
    match pinned(root, files) {
        None => Ok(ClassNames::new(names)),
        Some((file, order)) => {
            let order = order.map_err(|found| {
                Problem::new(file.to_string_lossy(), found, "every class once, in order")
            })?;
            agree(part, &file, &order, &names)?;
            Ok(ClassNames::new(order))
        }
    }
}

/// Makes sure that the pinned names are the folders.
fn agree(
    part: &Part<'_>,
    file: &Path,
    order: &[String],
    folders: &BTreeSet<String>,
) -> Result<(), Problems> {
    let file = file.display();
    let with_hint = |problem: Problem, near: Option<&str>| problem.hint_near(near);
    let mut problems = Vec::new();
    for name in order.iter().filter(|name| !folders.contains(*name)) {
        let found = format!("no folder `{name}` in `{}`", part.path);
        let problem = Problem::new(part.key.clone(), found, format!("all classes of `{file}`"));
        let unlisted = folders.iter().filter(|folder| !order.contains(folder));
        problems.push(with_hint(problem, nearest(name, unlisted.map(String::as_str))));
    }
    for name in folders.iter().filter(|name| !order.contains(name)) {
        let found = format!("folder `{name}` in `{}`", part.path);
        let problem = Problem::new(part.key.clone(), found, format!("a class of `{file}`"));
        problems.push(with_hint(problem, nearest(name, order.iter().map(String::as_str))));
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Returns the file that pins the order of the classes, and the order or what is wrong with it.
fn pinned(root: &Path, files: &dyn Files) -> Option<(PathBuf, Result<Vec<String>, String>)> {
    for folder in [Some(root), root.parent()].into_iter().flatten() {
        for (name, parse) in [
            ("classes.txt", lines as fn(&str) -> Result<Vec<String>, String>),
            ("class_to_idx.json", indices),
        ] {
            let path = folder.join(name);
            if files.is_folder(&path) == Some(false) {
                let text = files.read(&path).map_err(|e| e.to_string());
                let text = text.and_then(|b| String::from_utf8(b).map_err(|e| e.to_string()));
                return Some((path, text.and_then(|text| parse(&text))));
            }
        }
    }
    None
}

fn lines(text: &str) -> Result<Vec<String>, String> {
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut seen = BTreeSet::new();
    match names.clone().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("class `{twice}` twice")),
        None => Ok(names.map(str::to_owned).collect()),
    }
}

fn indices(text: &str) -> Result<Vec<String>, String> {
    let Value::Object(members) = serde_json::from_str(text).map_err(|e| e.to_string())? else {
        return Err("not an object from class to index".to_owned());
    };
    let mut order = vec![None; members.len()];
    for (name, index) in &members {
        let slot = index.as_u64().and_then(|index| order.get_mut(usize::try_from(index).ok()?));
        match slot {
            None => return Err(format!("class `{name}` has the index {index}")),
            Some(Some(other)) => return Err(format!("`{other}` and `{name}` share {index}")),
            Some(free) => *free = Some(name.clone()),
        }
    }
    Ok(order.into_iter().flatten().collect())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Returns the path from the root with `/` between its parts, on every system.
fn relative(path: &Path, root: &str) -> String {
    let inside = path.strip_prefix(root).expect("listed below the root");
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::data::source::reader::read;
    use crate::lab::data::tests::{CODEC, bytes_of};
    use crate::terms::MemoryFiles;
    use crate::testing::golden_json;

    fn tree(paths: &[&str]) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (i, path) in paths.iter().enumerate() {
            files.insert(format!("data/{path}"), bytes_of(i as u8));
        }
        files
    }

    fn spec() -> Folder {
        let path = "data".to_owned();
        Folder { train: path.clone(), val: None, test: path, validation_share: 0.1 }
    }

    fn part() -> Part<'static> {
        Part { key: "folder.train".to_owned(), path: "data" }
    }

    fn listed(files: &MemoryFiles) -> Result<Listing<PathBuf>, Problems> {
        list(&part(), &Subset::default(), files)
    }

    fn mistakes(files: &MemoryFiles) -> String {
        listed(files).unwrap_err().to_string()
    }

    #[test]
    fn agrees_with_torchvision() {
        let want = golden_json("data/folder/want.json");
        let texts = |v: &Value| -> Vec<String> { serde_json::from_value(v.clone()).unwrap() };
        let paths = texts(&want["files"]);
        let listing = listed(&tree(&paths.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        assert_eq!(listing.classes, ClassNames::new(texts(&want["classes"])));
        let mut samples: Vec<(String, u32)> =
            serde_json::from_value(want["samples"].clone()).unwrap();
        samples.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0))); // The order inside a class DIFFERS.
        let got: Vec<_> = listing.entries.iter().map(|e| (e.id.clone(), e.class.0)).collect();
        assert_eq!(got, samples);
    }

    #[test]
    fn hidden_files_do_not_count() {
        let files = tree(&["b/1.png", "a/.x.png", "a/2.png", ".git/3.png", "b/.thumbs/4.png"]);
        let listing = listed(&files).unwrap();
        assert_eq!(listing.classes, ClassNames::new(["a", "b"]));
        assert_eq!(listing.roll(), [("a/2.png", ClassId(0)), ("b/1.png", ClassId(1))]);
    }

    #[test]
    fn an_empty_class_is_named() {
        let files = tree(&["a/1.png", "b/notes.txt", "c/.hidden.png"]);
        let text = mistakes(&files);
        assert_eq!(pictures(&part(), &Subset::default(), &files, 1).unwrap_err().to_string(), text);
        assert_eq!(
            text,
            "folder.train: class `b` is empty: no picture in `data/b`, \
             expected at least one file of png, jpg, jpeg, webp, bmp\n\
             hint: add pictures, or name the others in `subset.classes`\n\
             folder.train: class `c` is empty: no picture in `data/c`, \
             expected at least one file of png, jpg, jpeg, webp, bmp\n\
             hint: add pictures, or name the others in `subset.classes`"
        );
        // A class that is not asked for may be empty.
        let only_a = Subset { classes: vec!["a".to_owned()], per_class: None, ..Subset::default() };
        assert_eq!(list(&part(), &only_a, &files).unwrap().entries.len(), 1);
    }

    #[test]
    fn a_file_pins_the_order() {
        let mut files = tree(&["a/1.png", "b/2.png", "c/3.png"]);
        files.insert("data/classes.txt", b"c\na\n\n b \n".to_vec());
        let order = |files| listed(files).unwrap().classes;
        assert_eq!(order(&files), ClassNames::new(["c", "a", "b"]));

        let mut files = tree(&["a/1.png", "b/2.png", "c/3.png"]);
        files.insert("class_to_idx.json", br#"{"a": 1, "b": 0, "c": 2}"#.to_vec());
        let listing = listed(&files).unwrap();
        assert_eq!(listing.classes, ClassNames::new(["b", "a", "c"]));
        assert_eq!(listing.roll()[0], ("b/2.png", ClassId(0)));
    }

    #[test]
    fn a_pinned_order_must_name_the_folders() {
        let case = |name: &str, text: &str| {
            let mut files = tree(&["cat/1.png", "dog/2.png"]);
            files.insert(format!("data/{name}"), text.as_bytes().to_vec());
            mistakes(&files)
        };
        assert_eq!(
            case("classes.txt", "cat\ndgo"),
            "folder.train: no folder `dgo` in `data`, expected all classes of `data/classes.txt`\n\
             hint: did you mean `dog`?\n\
             folder.train: folder `dog` in `data`, expected a class of `data/classes.txt`\n\
             hint: did you mean `dgo`?"
        );
        for (name, text, want) in [
            ("classes.txt", "cat\ncat", "class `cat` twice"),
            ("class_to_idx.json", "[1]", "not an object"),
            ("class_to_idx.json", "{", "EOF"),
            ("class_to_idx.json", r#"{"cat": 0, "dog": 2}"#, "class `dog` has the index 2"),
            ("class_to_idx.json", r#"{"cat": 0, "dog": 0}"#, "`cat` and `dog` share 0"),
            ("class_to_idx.json", r#"{"cat": -1, "dog": 0}"#, "class `cat` has the index -1"),
        ] {
            let got = case(name, text);
            assert!(got.starts_with(&format!("data/{name}: {want}")), "{got}");
        }
    }

    #[test]
    fn a_wrong_root_is_named() {
        let mut files = tree(&["train/a/1.png"]);
        files.insert("data/file", vec![]);
        files.insert("data/flat/1.png", vec![]);
        let mistake = |path| {
            let part = Part { key: "folder.train".to_owned(), path };
            list(&part, &Subset::default(), &files).unwrap_err().to_string()
        };
        assert_eq!(
            mistake("data/trian"),
            "folder.train: `data/trian` does not exist, \
             expected a folder with one folder per class\n\
             hint: did you mean `data/train`?"
        );
        assert!(mistake("data/file").contains("`data/file` is a file"));
        assert!(mistake("data/flat").contains("`data/flat` has no class folders"));
    }

    #[test]
    fn pictures_come_in_the_order_of_the_list() {
        let files = tree(&["b/1.png", "a/2.png", "a/10.png"]);
        let data = read(&spec(), listed(&files).unwrap(), &files, CODEC).unwrap();
        let got: Vec<_> = data.examples.iter().map(|e| (&*e.id, e.picture.rgb()[0])).collect();
        assert_eq!(got, [("a/10.png", 2), ("a/2.png", 1), ("b/1.png", 0)]);
    }

    #[test]
    fn corrupt_pictures_are_all_found_and_twenty_shown() {
        let mut files = MemoryFiles::default();
        files.insert("data/a/good.png", bytes_of(1));
        for i in 0..23 {
            files.insert(format!("data/a/bad{i:02}.png"), b"not a picture".to_vec());
        }
        let problems = read(&spec(), listed(&files).unwrap(), &files, CODEC).unwrap_err();
        assert_eq!(problems.0.len(), 21);
        assert_eq!(
            problems.0[7].to_string(),
            "data/a/bad07.png: not a test picture, expected a picture that can be read\n\
             hint: replace the file or take it out"
        );
        assert!(problems.0[20].found.contains("3 more"), "{}", problems.0[20]);
    }
}
