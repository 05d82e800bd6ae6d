//! Albums of every kind hold the same pictures.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

use super::*;
use crate::lab::images::encode_png;
use crate::terms::{MemoryFiles, Picture};
use crate::testing::golden_path;

fn picture(i: u8) -> Picture {
    Picture::filled(3, 2, [i, 2 * i, 255 - i])
}

fn folder_of(names: &[&str]) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    for (i, name) in names.iter().enumerate() {
        files.insert(format!("pictures/{name}"), encode_png(&picture(i as u8)));
    }
    files
}

fn zip_of(members: &[(&str, Vec<u8>)]) -> MemoryFiles {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    let mut files = MemoryFiles::default();
    files.insert("pictures.zip", archive.finish().unwrap().into_inner());
    files
}

/// Reads an album in blocks and joins them.
fn seen(album: &Album, files: &dyn Files, block: usize) -> Result<Block, Damaged> {
    let mut all = Vec::new();
    album.visit(files, block, &|_| true, &mut |b, pictures| {
        assert_eq!(all.len(), b * block);
        all.extend(pictures);
        Ok::<(), Damaged>(())
    })?;
    assert_eq!(all.len(), album.len());
    Ok(all)
}

fn whole(album: &Album, files: &dyn Files) -> Vec<Picture> {
    let blocks: Vec<_> = [1, 2, 100].map(|n| seen(album, files, n).unwrap()).into();
    assert!(blocks[0] == blocks[1] && blocks[1] == blocks[2], "blocks decide nothing");
    blocks[0].iter().cloned().map(|it| it.unwrap().picture).collect()
}

#[test]
fn a_folder_and_a_zip_of_it_are_the_same() {
    let names = ["b/2.png", "a/1.PNG", "a/.hidden.png", "readme.txt", "a/deep/3.png"];
    let files = folder_of(&names);
    let album = Album::open("--real", "pictures", &files).unwrap();
    let listed: Vec<String> = (0..album.len()).map(|i| album.address(i)).collect();
    assert_eq!(listed, ["a/1.PNG", "a/deep/3.png", "b/2.png"].map(|it| format!("pictures/{it}")));
    let pictures = whole(&album, &files);
    assert_eq!(pictures, [picture(1), picture(4), picture(0)]);
    assert_eq!(album.classes().unwrap(), ["a", "a", "b"]);

    let members: Vec<_> =
        names.iter().zip(0..).map(|(n, i)| (*n, encode_png(&picture(i)))).collect();
    let zipped = zip_of(&members);
    let album = Album::open("--real", "pictures.zip", &zipped).unwrap();
    assert_eq!(whole(&album, &zipped), pictures);
    let chosen = album.select(&[2, 0]);
    // In the order of the album.
    assert_eq!(whole(&chosen, &zipped), [picture(1), picture(0)]);
    assert_eq!((chosen.drawn_from(), album.drawn_from()), (Some(3), None));
}

#[test]
fn edm_keeps_classes_in_a_list() {
    let labels = br#"{"labels": [["000000/1.png", 7], ["000000/0.png", 3]]}"#;
    let members = [
        ("000000/0.png", encode_png(&picture(0))),
        ("000000/1.png", encode_png(&picture(1))),
        ("dataset.json", labels.to_vec()),
    ];
    let files = zip_of(&members);
    let album = Album::open("--fake", "pictures.zip", &files).unwrap();
    assert_eq!(album.classes().unwrap(), ["3", "7"]);
}

#[test]
fn samples_and_parquet_are_albums() {
    let mut files = MemoryFiles::default();
    let content = std::fs::read(golden_path("metrics/statistics/samples-labelled.npz")).unwrap();
    let want = crate::lab::metrics::read_samples(Cursor::new(&content)).unwrap();
    files.insert("samples.npz", content);
    let album = Album::open("--fake", "samples.npz", &files).unwrap();
    assert_eq!(whole(&album, &files), want.pictures);
    assert_eq!(album.classes().unwrap().len(), 7);
    let chosen = album.select(&[6, 2, 5]);
    let picked = [2, 5, 6].map(|i: usize| want.pictures[i].clone());
    assert_eq!(whole(&chosen, &files), picked);

    let want = crate::testing::golden_json("data/parquet/want.json");
    let name = want.as_object().unwrap().keys().next().unwrap();
    let disk = crate::engine::DiskFiles;
    let path = golden_path("data/parquet").join(name);
    let album = Album::open("--real", &path.to_string_lossy(), &disk).unwrap();
    let pictures = whole(&album, &disk);
    let last = album.len() - 1;
    assert_eq!(
        whole(&album.select(&[last, 0]), &disk),
        [pictures[0].clone(), pictures[last].clone()]
    );
}

#[test]
fn a_key_is_of_content_and_order_never_of_names() {
    let key = |names: &[&str]| {
        let files = folder_of(names);
        Album::open("--real", "pictures", &files).unwrap().key(&files).unwrap()
    };
    assert_eq!(key(&["a.png", "b.png"]), key(&["x/1.png", "y/2.png"]));
    assert_ne!(key(&["a.png", "b.png"]), key(&["b.png", "a.png"]));
    let files = folder_of(&["a.png", "b.png", "c.png"]);
    let album = Album::open("--real", "pictures", &files).unwrap();
    assert_ne!(album.select(&[0, 1]).key(&files), album.select(&[0, 2]).key(&files));
    assert_eq!(album.select(&[0, 1]).key(&files), album.select(&[1, 0]).key(&files));
}

#[test]
fn pictures_that_others_would_read_are_counted() {
    let files = folder_of(&["a.png", "b.tif", "c.TIF", "d.ppm", "e.txt", ".f.gif"]);
    let album = Album::open("--real", "pictures", &files).unwrap();
    let passed: Vec<_> = album.passed_over().iter().map(|(e, n)| (e.as_str(), *n)).collect();
    assert_eq!((album.len(), passed), (1, vec![("ppm", 1), ("tif", 2)]));
}

#[test]
fn one_unreadable_picture_is_named() {
    let mut files = folder_of(&["a.png", "b.png"]);
    files.insert("pictures/ab.png", b"no picture".to_vec());
    let album = Album::open("--real", "pictures", &files).unwrap();
    let seen = seen(&album, &files, 2).unwrap();
    let bad: Vec<_> =
        seen.iter().enumerate().filter_map(|(i, it)| Some((i, it.as_ref().err()?))).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(album.address(bad[0].0), "pictures/ab.png");
    assert!(bad[0].1.contains("neither PNG"), "{}", bad[0].1);
}

#[test]
fn what_is_no_album_is_told() {
    let mut files = folder_of(&["a.txt"]);
    for (name, content) in [
        ("cut.zip", &b"PK\x03\x04 cut"[..]),
        ("cut.npz", b"no"),
        ("x.parquet", b"PAR1"),
        ("y.tar", b""),
    ] {
        files.insert(name, content.to_vec());
    }
    for (place, want) in [
        ("picture", "does not exist, expected a folder of pictures, .zip, .npz or .parquet"),
        ("picture", "hint: did you mean `pictures`?"),
        ("pictures", "no picture in it"),
        ("cut.zip", "`cut.zip`: "),
        ("cut.npz", "`cut.npz`: "),
        ("x.parquet", "`x.parquet`: "),
        ("y.tar", "a file with the ending `tar`"),
    ] {
        let said = Album::open("--fake", place, &files).unwrap_err().to_string();
        assert!(said.starts_with("--fake: ") && said.contains(want), "{said}");
    }
}
