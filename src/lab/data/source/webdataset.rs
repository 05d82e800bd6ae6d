//! Tar shards in the layout of WebDataset.
//!
//! Aizman, Maltby and Breuel 2019, High Performance I/O For Large Scale Deep Learning, arXiv
//! 2001.01858; the reference is the Python package `webdataset`, `tariterators.py`. Members that
//! share a key belong together: `000017.jpg`, `000017.cls`; a key ends at the first dot after the
//! last slash, members of a key stand side by side. A shard is read by address: headers are walked
//! over, and only labels and wanted pictures are read.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::Content;
use super::cursor::class;
use super::reader::{Part, Reader, absent, file_key, hashed, parts};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems, Window};

/// Members that are pictures.
const PICTURES: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];
/// Bytes of a label; a `json` member may hold much beside it.
const LABEL_MAX: u64 = 1 << 20;
/// Shards of one part.
const SHARDS_MAX: usize = 100_000;
/// Largest label without names for them.
const CLASSES_MAX: i64 = 1 << 20;

/// Tar shards in the layout of WebDataset: a picture (`jpg`, `jpeg`, `png`, `webp`, `bmp`) and a
/// label (`cls`, a number, or `json`) per key. A path is a file, or a pattern such as
/// `shard-{000..009}.tar` or `{a,b}.tar`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebDataset {
    /// Shards of the training data.
    pub train: String,
    /// Shards of the validation data; absent: they are held out of the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Shards of the test data.
    pub test: String,
    /// Key of the label in `json` members; empty: labels are `cls` members.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub json_key: String,
    /// Names of the classes in the order of the labels; empty: the labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Share of each class of the training data to hold out for validation where there is no `val`.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

/// Where a picture is: which shard, and which bytes of it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    shard: Arc<str>,
    start: u64,
    size: u64,
}

/// A key with what was found of it.
struct Sample {
    key: String,
    picture: Option<Member>,
    label: Option<i64>,
}

impl WebDataset {
    fn parts(&self) -> Parts<Part<'_>> {
        parts(Self::KIND, &self.train, self.val.as_deref(), &self.test)
    }

    /// Returns the keys of a shard with their labels and pictures.
    fn samples(&self, shard: &str, files: &dyn Files) -> Result<Vec<Sample>, Problem> {
        let path = Path::new(shard);
        let problem = |at: u64, found: String| {
            Problem::new(format!("{shard}, byte {at}"), found, "a whole tar file")
        };
        let window = Window::open(path, files).map_err(|e| problem(0, e.to_string()))?;
        let size = window.size();
        if files.read_range(path, 0, 2).is_ok_and(|front| front == [0x1f, 0x8b]) {
            let found = "a file packed by gzip".to_owned();
            return Err(problem(0, found).hint("unpack it: pictures are read by their place"));
        }
        let mut archive = tar::Archive::new(window);
        let mut samples: Vec<Sample> = Vec::new();
        let mut end = 0;
        let members = archive.entries_with_seek().map_err(|e| problem(0, e.to_string()))?;
        for member in members {
            let mut member = member.map_err(|e| problem(end, e.to_string()))?;
            let (start, length) = (member.raw_file_position(), member.size());
            let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            if start.checked_add(length).is_none_or(|end| end > size) {
                let found = format!("member `{}` of {length} bytes", name.escape_debug());
                return Err(problem(start, format!("{found} in a file of {size}")));
            }
            end = start + length;
            if !member.header().entry_type().is_file() {
                continue;
            }
            let Some((key, kind)) = split(&name) else { continue };
            if samples.last().is_none_or(|sample| sample.key != key) {
                samples.push(Sample { key: key.to_owned(), picture: None, label: None });
            }
            let sample = samples.last_mut().expect("pushed if there was none");
            let kind = kind.to_ascii_lowercase();
            if PICTURES.contains(&kind.as_str()) {
                sample.picture = Some(Member { shard: shard.into(), start, size: length });
            } else if kind == if self.json_key.is_empty() { "cls" } else { "json" } {
                let mut label = Vec::new();
                let read = member.by_ref().take(LABEL_MAX).read_to_end(&mut label);
                read.map_err(|e| problem(start, e.to_string()))?;
                let source = || format!("{shard}, member `{}` (byte {start})", name.escape_debug());
                sample.label = Some(
                    self.label(&label)
                        .map_err(|(found, expected)| Problem::new(source(), found, expected))?,
                );
            }
        }
        Ok(samples)
    }

    /// Returns the label in a member, or what was found and expected.
    fn label(&self, bytes: &[u8]) -> Result<i64, (String, String)> {
        let text = String::from_utf8_lossy(bytes);
        if self.json_key.is_empty() {
            let expected = "a decimal number".to_owned();
            let shown: String = text.chars().take(40).collect();
            return text
                .trim()
                .parse()
                .map_err(|_| (format!("`{}`", shown.escape_debug()), expected));
        }
        let expected = format!("an object with a number `{}`", self.json_key);
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|e| (e.to_string(), expected.clone()))?;
        value[self.json_key.as_str()].as_i64().ok_or_else(|| ("none".to_owned(), expected))
    }

    /// Lists the pictures of a part by their labels.
    fn part(
        &self,
        part: &Part<'_>,
        classes: Option<&ClassNames>,
        files: &dyn Files,
    ) -> Result<Listing<Member>, Problems> {
        let mut whole = Vec::new();
        let shards = shards(part, files)?;
        for (shard, stem) in shards.iter().zip(stems(&shards)) {
            let mut keys = BTreeSet::new();
            for Sample { key, picture, label } in self.samples(shard, files)? {
                let id = format!("{stem}/{key}");
                match (picture, label) {
                    (Some(member), Some(label)) => {
                        if !keys.insert(key.clone()) {
                            let source = format!("{shard}, byte {}", member.start);
                            let found = format!("picture `{}` again", key.escape_debug());
                            return Err(Problem::new(source, found, "every key once").into());
                        }
                        whole.push((id, member, label));
                    }
                    (None, _) => {} // Metadata of the shard, or of another task.
                    (Some(member), None) => {
                        let source = format!("{shard}, byte {}", member.start);
                        let found = format!("picture `{}` without a label", key.escape_debug());
                        let expected = match self.json_key.is_empty() {
                            true => format!("a member `{}.cls`", key.escape_debug()),
                            false => format!("a member `{}.json`", key.escape_debug()),
                        };
                        return Err(Problem::new(source, found, expected)
                            .hint("`json-key` names the label in `json` members")
                            .into());
                    }
                }
            }
        }
        if whole.is_empty() {
            let found = format!("no picture in `{}`", part.path);
            return Err(Problem::new(part.key.clone(), found, "`key.jpg` and `key.cls`").into());
        }
        let classes = match classes {
            Some(classes) => classes.clone(),
            None => self.classes(&whole)?,
        };
        let entry = |(id, place, label): (String, Member, i64)| {
            let class = class(label, &classes, || format!("{}, sample `{id}`", place.shard))?;
            Ok(Entry { id, class, place })
        };
        let entries = whole.into_iter().map(entry).collect::<Result<_, Problem>>()?;
        Ok(Listing { classes: classes.clone(), entries })
    }

    fn classes(&self, samples: &[(String, Member, i64)]) -> Result<ClassNames, Problem> {
        if !self.class_names.is_empty() {
            return Ok(ClassNames::new(&self.class_names));
        }
        let (id, member, label) = samples.iter().max_by_key(|s| s.2).expect("at least one");
        if !(0..CLASSES_MAX).contains(label) {
            let source = format!("{}, sample `{id}`", member.shard);
            return Err(Problem::new(source, format!("label {label}"), "labels from 0 on"));
        }
        Ok(ClassNames::new((0..=*label).map(|label| label.to_string())))
    }
}

/// Divides the name of a member into its key and what follows the first dot after the last slash.
fn split(name: &str) -> Option<(&str, &str)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    (dot > file).then(|| (&name[..dot], &name[dot + 1..]))
}

/// Returns the files of a pattern, all of which are there.
fn shards(part: &Part<'_>, files: &dyn Files) -> Result<Vec<String>, Problems> {
    let paths = braces(part.path).map_err(|found| {
        let problem = Problem::new(part.key.clone(), found, "a pattern such as `{000..009}`");
        problem.hint("braces hold a range of numbers or names with commas")
    })?;
    let missing = |path: &&String| files.is_folder(Path::new(path)) != Some(false);
    let problems: Vec<_> = paths
        .iter()
        .filter(missing)
        .take(5)
        .map(|path| absent(&Part { key: part.key.clone(), path }, "a tar file", files))
        .collect();
    if problems.is_empty() { Ok(paths) } else { Err(Problems(problems)) }
}

/// Returns what the ids of each shard's pictures begin with: the name of the shard, behind its
/// number in the part where shards of several folders share a name.
fn stems(shards: &[String]) -> Vec<String> {
    let stem = |shard: &String| {
        Path::new(shard).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    };
    let stems: Vec<String> = shards.iter().map(stem).collect();
    if stems.iter().collect::<BTreeSet<_>>().len() == stems.len() {
        return stems;
    }
    stems.iter().enumerate().map(|(i, stem)| format!("{i}/{stem}")).collect()
}

/// Writes a pattern out: `{000..009}` with the digits of its first number, `{a,b}`.
fn braces(pattern: &str) -> Result<Vec<String>, String> {
    let Some((front, rest)) = pattern.split_once('{') else { return Ok(vec![pattern.to_owned()]) };
    let (inside, back) = rest.split_once('}').ok_or("a brace that is not closed")?;
    let choices: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let number = |text: &str| {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let number = if digits { text.parse::<usize>().ok() } else { None };
                number.ok_or_else(|| format!("`{}` in a range", text.escape_debug()))
            };
            let (from, to) = (number(first)?, number(last)?);
            if from > to || to - from >= SHARDS_MAX {
                return Err(format!("the range `{inside}`"));
            }
            let digits = first.len();
            (from..=to).map(|number| format!("{number:0digits$}")).collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    let backs = braces(back)?;
    if choices.len() * backs.len() > SHARDS_MAX {
        return Err(format!("more than {SHARDS_MAX} files"));
    }
    let joined = |choice: &String| -> Vec<String> {
        backs.iter().map(|back| format!("{front}{choice}{back}")).collect()
    };
    Ok(choices.iter().flat_map(joined).collect())
}

impl Reader for WebDataset {
    const KIND: &'static str = "webdataset";
    type Place = Member;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Member>>, Problems> {
        let Parts { train, val, test } = self.parts();
        let train = self.part(&train, None, files)?;
        let other = |part| self.part(&part, Some(&train.classes), files);
        let (val, test) = (val.map(other).transpose()?, other(test)?);
        Ok(Parts { train, val, test })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Member>],
        files: &dyn Files,
        look: impl Fn(&Entry<Member>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let see = |entry: &Entry<Member>| {
            let Member { shard, start, size } = &entry.place;
            let problem = |found: String| {
                let source = format!("{shard}, byte {start} (picture `{}`)", entry.id);
                Problem::new(source, found, "a picture that can be read")
            };
            let size = usize::try_from(*size).map_err(|e| problem(e.to_string()))?;
            let bytes = files.read_range(Path::new(&**shard), *start, size);
            look(entry, Content::File(&bytes.map_err(|e| problem(e.to_string()))?)).map_err(problem)
        };
        entries.par_iter().map(see).collect()
    }

    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let named = self.parts().map(|part| {
            let shards = shards(&part, files)?;
            Ok(shards.into_iter().map(|shard| (part.key.clone(), shard)).collect::<Vec<_>>())
        })?;
        let all: Vec<(String, String)> = named.all().flatten().collect();
        let name = |shard: &str| {
            Path::new(shard).file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        let names: Vec<String> =
            all.iter().map(|(key, shard)| format!("{key}/{}", name(shard))).collect();
        let keys = all.iter().map(|(_, shard)| file_key(shard, files));
        Ok(hashed(Self::KIND, names.iter().map(String::as_str).zip(keys))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::lab::data::source::fingerprint;
    use crate::lab::data::source::{Codec, Source, load};
    use crate::lab::data::tests::golden_files;
    use crate::terms::{MemoryFiles, Picture, Seed};
    use crate::testing::golden_json;

    fn toml(more: &str) -> Source {
        let shards = "d/shard-{000..001}.tar";
        let text = format!("[webdataset]\ntrain = \"{shards}\"\ntest = \"{shards}\"\n{more}");
        toml::from_str(&format!("{text}\nvalidation-share = 0")).unwrap()
    }

    /// Text files of golden data stand for pictures: the number at their end is their grey level.
    fn decode(file: &[u8]) -> Result<Picture, String> {
        let text = String::from_utf8_lossy(file);
        let number = text.strip_prefix("picture ").and_then(|number| number.parse().ok());
        number.map(|grey| Picture::filled(1, 1, [grey; 3])).ok_or("no picture".to_owned())
    }

    fn data(source: &Source, files: &MemoryFiles) -> Result<super::super::Splits, Problems> {
        let codec = Codec { decode: &decode, fit: &|picture| picture };
        load(source, &Subset::default(), Seed::root(0), files, codec)
    }

    #[test]
    fn agrees_with_the_package() {
        let (want, files) =
            (golden_json("data/webdataset/want.json"), golden_files("data/webdataset"));
        for (more, key) in [("", "cls"), ("json-key = \"label\"", "json")] {
            let train = data(&toml(more), &files).unwrap().train;
            let got: Vec<Json> = train
                .examples
                .iter()
                .map(|e| {
                    serde_json::json!([e.id, e.class, format!("picture {}", e.picture.rgb()[0])])
                })
                .collect();
            let samples = want["samples"].as_array().unwrap().iter().map(|sample| {
                let shard = sample["shard"].as_str().unwrap().trim_end_matches(".tar");
                let id = format!("{shard}/{}", sample["key"].as_str().unwrap());
                serde_json::json!([id, sample[key], sample["picture"]])
            });
            assert_eq!(got, samples.collect::<Vec<_>>());
            assert_eq!(train.classes, ClassNames::new(["0", "1", "2"]));
        }
        for (pattern, paths) in want["patterns"].as_object().unwrap() {
            assert_eq!(serde_json::json!(braces(pattern).unwrap()), *paths);
        }
        assert_eq!(braces("{a..2}").unwrap_err(), "`a` in a range");
        assert_eq!(braces("{0..").unwrap_err(), "a brace that is not closed");
        assert_eq!(braces("{0..99999}{0..9}").unwrap_err(), "more than 100000 files");
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |source: &Source, change: &dyn Fn(&mut Vec<u8>)| {
            let mut files = golden_files("data/webdataset");
            let path = "d/shard-001.tar";
            let mut content = files.read(Path::new(path)).unwrap();
            change(&mut content);
            files.insert(path, content);
            data(source, &files).unwrap_err().to_string()
        };
        let source = toml("");
        // Members of 512 bytes of header and 512 of content: cls, json, webp.
        assert_eq!(
            told(&source, &|file| file[512] = b'x'),
            "d/shard-001.tar, member `000000.cls` (byte 512): `x`, expected a decimal number"
        );
        let cut = told(&source, &|file| file.truncate(2561));
        assert!(
            cut.starts_with("d/shard-001.tar, byte 2560: member `000000.webp` of 9 b"),
            "{cut}"
        );
        let header = told(&source, &|file| file[1030] ^= 1);
        assert!(header.starts_with("d/shard-001.tar, byte "), "{header}");
        // The checksum of a header is a sum: `.dks` for `.cls` does not change it.
        let alone = told(&source, &|file| file[7..9].copy_from_slice(b"dk"));
        assert!(alone.contains("picture `000000` without a label"), "{alone}");
        assert_eq!(
            told(&toml("class-names = [\"a\", \"b\", \"c\"]"), &|file| file[512] = b'7'),
            "d/shard-001.tar, sample `shard-001/000000`: label 7, expected a label of 0 to 2\n\
             hint: there are 3 classes"
        );
    }

    #[test]
    fn shards_of_one_name_are_told_apart() {
        let golden = golden_files("data/webdataset");
        let read = |name: &str| golden.read(Path::new(name)).unwrap();
        let mut files = MemoryFiles::default();
        for (folder, shard) in [("a", "d/shard-000.tar"), ("b", "d/shard-001.tar")] {
            files.insert(format!("{folder}/shard.tar"), read(shard));
        }
        let source: Source = toml::from_str(
            "[webdataset]\ntrain = \"{a,b}/shard.tar\"\ntest = \"a/shard.tar\"\n\
             validation-share = 0",
        )
        .unwrap();
        let key = |files: &MemoryFiles| fingerprint(&source, &Subset::default(), files).unwrap();
        let before = key(&files);
        let splits = data(&source, &files).unwrap();
        let ids: BTreeSet<&str> = splits.train.examples.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids.len(), splits.train.len(), "{ids:?}");
        assert!(ids.iter().any(|id| id.starts_with("1/shard/")), "{ids:?}");
        assert!(splits.test.examples[0].id.starts_with("shard/"));
        files.insert("b/shard.tar", read("d/shard-000.tar"));
        assert_ne!(key(&files), before, "bytes of every shard are in the fingerprint");
        // A key that comes back later in a shard is another picture of the same name.
        let shard = read("d/shard-000.tar");
        let members = (shard.iter().rposition(|byte| *byte != 0).unwrap() / 512 + 1) * 512;
        files.insert("a/shard.tar", [&shard[..members], &shard].concat());
        let told = data(&source, &files).unwrap_err().to_string();
        assert!(told.contains(" again, expected every key once"), "{told}");
    }

    #[test]
    fn shards_that_are_missing_are_named() {
        let source: Source = toml::from_str(
            "[webdataset]\ntrain = \"d/shard-{000..002}.tar\"\ntest = \"d/shard-001.tar\"",
        )
        .unwrap();
        let files = golden_files("data/webdataset");
        let told = fingerprint(&source, &Subset::default(), &files).unwrap_err().to_string();
        assert!(told.starts_with("webdataset.train: `d/shard-002.tar` does not exist"), "{told}");
    }
}
