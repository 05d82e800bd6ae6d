//! MedMNIST: medical pictures of 28, 64, 128 or 224 pixels, grey or in colour.
//!
//! Yang et al. 2023, MedMNIST v2, Scientific Data 10:41, arXiv 2110.14795. One `.npz` archive with
//! `train_images`, `train_labels` and the same for `val` and `test`: pictures `[n, h, w]` or
//! `[n, h, w, 3]`, labels `[n, 1]`. Sets with several labels per picture (ChestMNIST) and with
//! volumes (the 3D sets) are refused.

mod npy;

use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use zip::ZipArchive;

use self::npy::{HEADER_MAX, Header};
use super::Content;
use super::cursor::class;
use super::grid::{Address, Grid};
use super::reader::{Part, Reader, absent, file_key, hashed};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems, Window};

/// Longest side of a picture; the family ends at 224.
const SIDE_MAX: usize = 4096;
/// Bytes of labels in one part; the largest of the family has 165,466 labels.
const LABELS_MAX: usize = 1 << 26;
/// Pictures that are looked at together.
const TOGETHER: usize = 256;
/// Packed bytes that are read at a time; archives of large pictures have gigabytes.
const AHEAD: usize = 1 << 18;

/// One archive of MedMNIST, such as `bloodmnist_64.npz`, with its own validation part.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Medmnist {
    /// Path of the `.npz` archive.
    pub path: String,
    /// Names of the classes in the order of the labels; empty: the labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
}

type Stream<'a> = BufReader<Window<'a>>;
type Archive<'a> = ZipArchive<Stream<'a>>;

impl Medmnist {
    /// Makes sure that the path is that of a file.
    fn find(&self, files: &dyn Files) -> Result<(), Problem> {
        let part = Part { key: "medmnist.path".to_owned(), path: &self.path };
        match files.is_folder(Path::new(&self.path)) {
            None => Err(absent(&part, "an archive of MedMNIST", files)),
            Some(true) => {
                let found = format!("`{}` is a folder", self.path);
                let problem = Problem::new(part.key, found, "an archive: `bloodmnist.npz`");
                Err(problem.hint(
                    "`ersatz data fetch bloodmnist` names the official files of one of the sets",
                ))
            }
            Some(false) => Ok(()),
        }
    }

    fn archive<'a>(&self, files: &'a dyn Files) -> Result<Archive<'a>, Problem> {
        self.find(files)?;
        let window = Window::open(Path::new(&self.path), files)
            .map_err(|e| Problem::new(&*self.path, e.to_string(), "a file that can be read"))?;
        ZipArchive::new(BufReader::with_capacity(AHEAD, window)).map_err(|e| {
            Problem::new(&*self.path, format!("no whole archive ({e})"), "an `.npz` archive")
                .hint("the file is cut short or another one: fetch it again")
        })
    }

    fn name(&self, member: &str) -> String {
        format!("{}, member `{member}`", self.path)
    }

    /// Reads the front of a member: its header, and whether its size is the one of its array.
    fn header(&self, archive: &mut Archive<'_>, member: &str) -> Result<Header, Problem> {
        let name = self.name(member);
        let (front, size) = {
            let mut stream = self.member(archive, member)?;
            let size = stream.size();
            let mut front = Vec::new();
            let read = stream.by_ref().take(HEADER_MAX as u64 + 12).read_to_end(&mut front);
            // Data behind the header may be damaged; whoever reads them will say so.
            if let (Err(e), true) = (read, front.len() < 12) {
                return Err(Problem::new(name, e.to_string(), "an array"));
            }
            (front, size)
        };
        let header = Header::read(&name, &front)?;
        let wanted = header.length().and_then(|length| length.checked_add(header.start));
        if wanted.map(|wanted| wanted as u64) != Some(size) {
            let found = format!("an array `{}` of {:?} in {size} bytes", header.kind, header.sides);
            let expected = match wanted {
                Some(wanted) => format!("{wanted} bytes"),
                None => "integers".to_owned(),
            };
            return Err(Problem::new(name, found, expected));
        }
        Ok(header)
    }

    fn member<'a, 'b>(
        &self,
        archive: &'a mut Archive<'b>,
        member: &str,
    ) -> Result<zip::read::ZipFile<'a, Stream<'b>>, Problem> {
        archive.by_name(&format!("{member}.npy")).map_err(|e| {
            Problem::new(self.name(member), e.to_string(), "an array of that name").hint(
                "an archive of MedMNIST has `train_images`, `train_labels`, `val_images`, ...",
            )
        })
    }

    fn labels(&self, archive: &mut Archive<'_>, part: &str) -> Result<Vec<i64>, Problem> {
        let member = format!("{part}_labels");
        let name = self.name(&member);
        let header = self.header(archive, &member)?;
        match header.sides.as_slice() {
            [_] | [_, 1] => {}
            [_, several] => {
                let found = format!("{several} labels for each picture");
                return Err(Problem::new(name, found, "one label: a picture of one class")
                    .hint("this is a set with several labels per picture, such as ChestMNIST"));
            }
            sides => {
                return Err(Problem::new(name, format!("an array of {sides:?}"), "one of [n, 1]"));
            }
        }
        let length = header.length().filter(|length| *length <= LABELS_MAX);
        let length = length.ok_or_else(|| Problem::new(&*name, "too many labels", "fewer"))?;
        let mut stream = self.member(archive, &member)?;
        let mut bytes = Vec::new();
        let read = stream.by_ref().take((header.start + length) as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| Problem::new(&*name, e.to_string(), "whole labels"))?;
        let labels = bytes.get(header.start..).and_then(|bytes| header.integers(bytes));
        Ok(labels.expect("a header with a length has integers"))
    }

    fn part(
        &self,
        archive: &mut Archive<'_>,
        part: &str,
        classes: &mut Option<ClassNames>,
    ) -> Result<Listing<Address>, Problem> {
        let labels = self.labels(archive, part)?;
        let member = format!("{part}_images");
        let header = self.header(archive, &member)?;
        let name: Arc<str> = self.name(&member).into();
        let wrong = |found: String, expected: &str| Problem::new(&*name, found, expected);
        let grid = match *header.sides.as_slice() {
            [_, h, w] if (1..=SIDE_MAX).contains(&h.min(w)) && h.max(w) <= SIDE_MAX => {
                Grid::pixels(1, h, w)
            }
            [_, h, w, 3] if (1..=SIDE_MAX).contains(&h.min(w)) && h.max(w) <= SIDE_MAX => {
                Grid::pixels(3, h, w)
            }
            _ => {
                let found = format!("an array of {:?}", header.sides);
                return Err(wrong(found, "pictures: [n, h, w] or [n, h, w, 3]")
                    .hint("sets of volumes, such as OrganMNIST3D, are no pictures"));
            }
        };
        if header.kind != "|u1" || header.sides[0] != labels.len() {
            let found =
                format!("`{}` of {:?} with {} labels", header.kind, header.sides, labels.len());
            return Err(wrong(found, "bytes, and one label for each picture"));
        }
        let classes = match classes {
            Some(classes) => classes.clone(),
            None => classes.insert(self.classes(&labels)?).clone(),
        };
        let entry = |(row, label): (usize, i64)| {
            let place = || format!("{}, row {row}", self.name(&format!("{part}_labels")));
            let class = class(label, &classes, place)?;
            let start = header.start + row * grid.size();
            let place = Address { file: name.clone(), grid, start };
            Ok(Entry { id: format!("{part}/{row}"), class, place })
        };
        let entries = labels.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(Listing { classes, entries })
    }

    fn classes(&self, labels: &[i64]) -> Result<ClassNames, Problem> {
        let last = labels.iter().copied().max().unwrap_or(0);
        let count = usize::try_from(last).ok().filter(|last| *last < 10_000).map(|last| last + 1);
        let Some(count) = count else {
            let found = format!("label {last}");
            return Err(Problem::new(self.name("train_labels"), found, "labels from 0 on"));
        };
        if self.class_names.is_empty() {
            return Ok(ClassNames::new((0..count).map(|label| label.to_string())));
        }
        if self.class_names.len() != count {
            let found = format!("{} names", self.class_names.len());
            let problem = Problem::new("medmnist.class-names", found, format!("{count}"));
            return Err(problem.hint(format!("labels are 0 to {last}")));
        }
        Ok(ClassNames::new(&self.class_names))
    }

    /// Shows pictures of one member, which is unpacked from front to back and never held whole.
    fn see_member<T: Send>(
        &self,
        archive: &mut Archive<'_>,
        entries: &[Entry<Address>],
        look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Result<Vec<Result<T, Problem>>, Problem> {
        let name = &entries[0].place.file;
        let member = name.rsplit('`').nth(1).unwrap_or_default().to_owned();
        let mut stream = self.member(archive, &member)?;
        let mut at = 0;
        let mut results = Vec::with_capacity(entries.len());
        for entries in entries.chunks(TOGETHER) {
            let mut contents = Vec::with_capacity(entries.len());
            for Entry { id, place, .. } in entries {
                let problem = |e: &io::Error| {
                    let source = format!("{name}, byte {} (picture `{id}`)", place.start);
                    Problem::new(source, e.to_string(), "a picture that can be read")
                };
                let before = place.start.checked_sub(at).expect("listed in ascending order");
                let skipped = io::copy(&mut stream.by_ref().take(before as u64), &mut io::sink());
                skipped.map_err(|e| problem(&e))?;
                let mut bytes = Vec::new();
                let size = place.grid.size();
                stream
                    .by_ref()
                    .take(size as u64)
                    .read_to_end(&mut bytes)
                    .map_err(|e| problem(&e))?;
                if bytes.len() < size {
                    return Err(problem(&io::ErrorKind::UnexpectedEof.into()));
                }
                at = place.start + size;
                contents.push(bytes);
            }
            let see = |(entry, bytes): (&Entry<Address>, &Vec<u8>)| {
                let picture = entry.place.grid.picture(bytes);
                look(entry, Content::Pixels(picture)).map_err(|found| {
                    let source = format!("{name}, picture `{}`", entry.id);
                    Problem::new(source, found, "a picture that can be read")
                })
            };
            results.extend(entries.par_iter().zip(&contents).map(see).collect::<Vec<_>>());
        }
        // The checksum of the member is compared at its end.
        let rest = io::copy(&mut stream, &mut io::sink());
        rest.map_err(|e| Problem::new(&**name, e.to_string(), "a whole array"))?;
        Ok(results)
    }
}

impl Reader for Medmnist {
    const KIND: &'static str = "medmnist";
    type Place = Address;

    fn validation_share(&self) -> f64 {
        0.0 // The official part is taken.
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Address>>, Problems> {
        let mut archive = self.archive(files)?;
        let mut classes = None;
        let mut part = |name| self.part(&mut archive, name, &mut classes);
        Ok(Parts { train: part("train")?, val: Some(part("val")?), test: part("test")? })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Address>],
        files: &dyn Files,
        look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let mut results = Vec::with_capacity(entries.len());
        for entries in entries.chunk_by(|a, b| a.place.file == b.place.file) {
            let archive = self.archive(files);
            match archive.and_then(|mut archive| self.see_member(&mut archive, entries, &look)) {
                Ok(seen) => results.extend(seen),
                // What stands behind a damaged place cannot be read, and of what stands before it
                // nobody knows: the checksum is that of the whole member.
                Err(problem) => results.extend(entries.iter().map(|_| Err(problem.clone()))),
            }
        }
        results
    }

    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        self.find(files)?;
        Ok(hashed(Self::KIND, [("npz", file_key(&self.path, files))].into_iter())?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::lab::data::source::{Source, check, fingerprint, load, survey};
    use crate::lab::data::tests::{CODEC, golden_files, load_all, seen};
    use crate::terms::{MemoryFiles, Seed};
    use crate::testing::golden_json;

    fn toml(name: &str) -> String {
        format!("[medmnist]\npath = \"d/{name}.npz\"")
    }

    #[test]
    fn agrees_with_numpy_and_pillow() {
        let (want, files) = (golden_json("data/medmnist/want.json"), golden_files("data/medmnist"));
        for (name, size) in [("grey", (6, 7)), ("colour", (4, 5))] {
            let splits = load_all(&toml(name), &files).unwrap();
            for (part, data) in
                [("train", &splits.train), ("val", &splits.val), ("test", &splits.test)]
            {
                let want = &want[name][part];
                let labels: Vec<u32> = serde_json::from_value(want["labels"].clone()).unwrap();
                let rgb: Vec<Vec<u8>> = serde_json::from_value(want["rgb"].clone()).unwrap();
                assert_eq!(seen(data), (labels, rgb), "{name} {part}");
                let picture = &data.examples[0].picture;
                assert_eq!((picture.width(), picture.height()), size);
            }
        }
    }

    #[test]
    fn what_is_no_picture_of_one_class_is_refused() {
        let files = golden_files("data/medmnist");
        assert_eq!(
            load_all(&toml("several"), &files).unwrap_err().to_string(),
            "d/several.npz, member `train_labels`: 14 labels for each picture, \
             expected one label: a picture of one class\n\
             hint: this is a set with several labels per picture, such as ChestMNIST"
        );
        assert_eq!(
            load_all(&toml("volumes"), &files).unwrap_err().to_string(),
            "d/volumes.npz, member `train_images`: an array of [2, 4, 4, 4], \
             expected pictures: [n, h, w] or [n, h, w, 3]\n\
             hint: sets of volumes, such as OrganMNIST3D, are no pictures"
        );
    }

    /// Files that are given away in small pieces only.
    struct Pieces(MemoryFiles);

    impl Files for Pieces {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            panic!("{} is read whole", path.display())
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
            self.0.list(folder)
        }

        fn is_folder(&self, path: &Path) -> Option<bool> {
            self.0.is_folder(path)
        }

        fn size(&self, path: &Path) -> io::Result<u64> {
            self.0.size(path)
        }

        fn read_range(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
            assert!(length <= AHEAD, "{length} bytes at once");
            self.0.read_range(path, start, length)
        }
    }

    #[test]
    fn an_archive_is_never_held_whole() {
        let (whole, all) = (golden_files("data/medmnist"), Subset::default());
        let source: Source = toml::from_str(&toml("colour")).unwrap();
        let pieces = Pieces(whole.clone());
        assert_eq!(check(&source, &all, &pieces), Problems::default());
        let loaded = load(&source, &all, Seed::root(0), &pieces, CODEC).unwrap();
        assert_eq!(loaded, load_all(&toml("colour"), &whole).unwrap());
        let bytes = whole.read(Path::new("d/colour.npz")).unwrap();
        let inputs = [("npz".to_owned(), Key::of_bytes(&bytes))];
        let want = Key::of_stage("medmnist", 1, &serde_json::Value::Null, &inputs);
        assert_eq!(fingerprint(&source, &all, &pieces).unwrap(), want, "the key of old");
    }

    #[test]
    fn every_picture_of_a_damaged_member_is_told_by_its_own_name() {
        let (mut files, all) = (golden_files("data/medmnist"), Subset::default());
        let source: Source = toml::from_str(&toml("colour")).unwrap();
        let look = |files: &MemoryFiles| {
            let seen = survey(&source, &all, Seed::root(0), files, |_, _| Ok(())).unwrap();
            seen.parts.map(|(_, seen)| {
                seen.into_iter().map(|one| (one.id, one.made.is_ok())).collect::<Vec<_>>()
            })
        };
        let mut content = files.read(Path::new("d/colour.npz")).unwrap();
        content[240] ^= 1; // A level of the first training picture.
        let before = look(&files);
        files.insert("d/colour.npz", content);
        let after = look(&files);
        let spoiled = before[0].iter().map(|(id, _)| (id.clone(), false)).collect::<Vec<_>>();
        assert!(spoiled.len() > 1);
        assert_eq!(after, [spoiled, before[1].clone(), before[2].clone()]);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut files = golden_files("data/medmnist");
            let path = format!("d/{name}.npz");
            let mut content = files.read(Path::new(&path)).unwrap();
            change(&mut content);
            files.insert(path, content);
            load_all(&toml(name), &files).unwrap_err().to_string()
        };
        let cut = told("grey", &|file| file.truncate(700));
        assert!(cut.starts_with("d/grey.npz: no whole archive ("), "{cut}");
        // A level of the first picture, stored as it is: only the checksum can tell.
        let level = told("colour", &|file| file[240] ^= 1);
        assert!(level.starts_with("d/colour.npz, member `train_images`"), "{level}");
        let header = told("colour", &|file| {
            let at = file.windows(6).position(|w| w == b"(4, 5,").unwrap();
            file[at + 1] = b'9';
        });
        assert!(header.contains("an array `|u1` of [9, 5, 4, 3] in "), "{header}");
    }
}
