//! Tests of the store at its door.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::engine::Estimate;

fn origin() -> Origin {
    Origin {
        kind: "data".into(),
        version: 1,
        label: "data digits".into(),
        spec: json!({"size": 8}),
        inputs: BTreeMap::from([("source".to_owned(), Key::of_bytes(b"source"))]),
        estimate: Estimate { seconds: 2.0, bytes: 20 },
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    (folder, store)
}

fn committed() -> (tempfile::TempDir, Store, Entry) {
    let (folder, store) = store();
    let bench = store.bench(origin().key()).unwrap();
    bench.put("plots/b.svg", b"bb").unwrap();
    bench.put("a.bin", b"a").unwrap();
    let entry = store.commit(bench, origin()).unwrap();
    (folder, store, entry)
}

fn damage(found: Found) -> String {
    match found {
        Found::Damaged(what) => what,
        other => panic!("{other:?} is not damaged"),
    }
}

#[test]
fn what_is_on_the_bench_becomes_the_entry() {
    let (_folder, store, entry) = committed();
    assert_eq!(entry.names().collect::<Vec<_>>(), ["a.bin", "plots/b.svg"]);
    assert_eq!(entry.read("plots/b.svg").unwrap(), b"bb");
    assert_eq!(entry.manifest().bytes(), 3);
    assert_eq!(entry.manifest().origin, origin());
    let found = store.verify(entry.key()).unwrap().whole().unwrap();
    assert_eq!(found.manifest(), entry.manifest());
    assert_eq!(store.keys().unwrap(), [entry.key()]);
    assert_eq!(store.progress(entry.key()).unwrap(), None);
    for folder in ["work", "locks"] {
        assert_eq!(RealDisk.list(&store.root().join(folder)).unwrap(), [], "{folder} is empty");
    }
}

#[test]
fn a_bench_keeps_its_content_and_its_time() {
    let (_folder, store) = store();
    let key = origin().key();
    let bench = store.bench(key).unwrap();
    assert_eq!(store.progress(key).unwrap(), None, "an empty bench is no progress");
    bench.put("shard-0", b"0").unwrap();
    bench.put("checkpoint", b"old").unwrap();
    bench.put("checkpoint", b"new").unwrap();
    bench.note("step 3 of 9").unwrap();
    // What a kill leaves: half a draft, and a manifest that was not committed.
    RealDisk.write_draft(&bench.path().join(".draft-shard-1"), b"ha").unwrap();
    RealDisk.write_draft(&bench.path().join("manifest.json"), b"{").unwrap();
    drop(bench);
    let progress = store.progress(key).unwrap().unwrap();
    assert_eq!(progress.note.as_deref(), Some("step 3 of 9"));

    let bench = store.bench(key).unwrap();
    assert_eq!(bench.names().unwrap(), ["checkpoint", "shard-0"]);
    assert_eq!(bench.get("checkpoint").unwrap().as_deref(), Some(b"new".as_slice()));
    assert_eq!(bench.get("shard-1").unwrap(), None);
    assert!(bench.seconds() > progress.seconds, "time of both sessions counts");
    bench.remove("checkpoint").unwrap();
    let entry = store.commit(bench, origin()).unwrap();
    assert_eq!(entry.names().collect::<Vec<_>>(), ["shard-0"]);
    assert!(entry.manifest().seconds > progress.seconds);
}

#[test]
fn one_key_has_one_bench() {
    let (_folder, store) = store();
    let key = origin().key();
    let bench = store.bench(key).unwrap();
    let other = Store::open(store.root()).unwrap();
    let Err(busy) = other.bench(key) else { panic!("two benches of one key") };
    let process = format!("process {} on ", std::process::id());
    assert!(busy.to_string().starts_with(&process), "{busy}");
    assert!(other.bench(Key::of_bytes(b"another")).is_ok());
    drop(bench);
    assert!(other.bench(key).is_ok());
}

#[test]
fn damage_is_seen_and_named() {
    let (_folder, store, entry) = committed();
    let find = || store.find(entry.key()).unwrap();
    let path = entry.path("a.bin");
    RealDisk.write_draft(&path, b"x").unwrap();
    assert!(matches!(find(), Found::Whole(_)), "sizes alone do not tell");
    let verified = store.verify(entry.key()).unwrap();
    assert_eq!(damage(verified), "the content of `a.bin` has changed");
    let error = entry.read("a.bin").unwrap_err().to_string();
    let want = "a.bin`: its content is not what was committed; remove its entry and run again";
    assert!(error.ends_with(want), "{error}");
    RealDisk.write_draft(&path, b"xx").unwrap();
    assert_eq!(damage(find()), "`a.bin` has 2 bytes instead of 1");
    RealDisk.remove(&path).unwrap();
    assert_eq!(damage(find()), "`a.bin` is gone");
    let manifest = entry.path("manifest.json");
    let text = String::from_utf8(RealDisk.read(&manifest).unwrap()).unwrap();
    RealDisk
        .write_draft(&manifest, text.replace("\"format\": 1", "\"format\": 2").as_bytes())
        .unwrap();
    assert_eq!(damage(find()), "its manifest has the unknown form 2");
    let other = Key::of_bytes(b"other").hex();
    let moved = text.replacen(&entry.key().hex(), &other, 1);
    RealDisk.write_draft(&manifest, moved.as_bytes()).unwrap();
    assert_eq!(damage(find()), format!("its manifest belongs to {}", &other[..12]));
    RealDisk.write_draft(&manifest, b"{").unwrap();
    assert!(damage(find()).starts_with("its manifest cannot be read: "));
    RealDisk.remove(&manifest).unwrap();
    assert_eq!(damage(find()), "its manifest is gone");
}

#[test]
fn names_that_could_hide_or_escape_are_refused() {
    let (_folder, store) = store();
    let bench = store.bench(origin().key()).unwrap();
    for name in ["", "manifest.json", ".note.json", "../x", "a//b", "/etc/passwd", "a b", "a/.b"] {
        let put = std::panic::AssertUnwindSafe(|| bench.put(name, b""));
        assert!(std::panic::catch_unwind(put).is_err(), "`{name}` was accepted");
    }
}

#[test]
fn what_is_forgotten_is_gone_and_nothing_else() {
    let (_folder, store, entry) = committed();
    let other = Origin { version: 2, ..origin() };
    store.bench(other.key()).unwrap().put("half.bin", b"half").unwrap();
    assert_eq!(store.unfinished().unwrap(), [other.key()]);
    store.forget(other.key()).unwrap();
    assert_eq!(store.unfinished().unwrap(), []);
    assert!(store.verify(entry.key()).unwrap().whole().is_some());
    let busy = store.bench(entry.key()).unwrap();
    assert!(matches!(store.forget(entry.key()), Err(StoreError::Busy { .. })));
    drop(busy);
    store.forget(entry.key()).unwrap();
    store.empty_trash().unwrap();
    assert!(matches!(store.find(entry.key()).unwrap(), Found::Absent));
    assert_eq!((store.keys().unwrap(), store.unfinished().unwrap()), (vec![], vec![]));
}

#[test]
fn trash_is_emptied_around_a_process_that_uses_it() {
    let (_folder, store, entry) = committed();
    let left = Key::of_bytes(b"left by a kill");
    let trash = |key: Key| store.root().join("trash").join(key.hex());
    for key in [left, entry.key()] {
        RealDisk.create_folder(&trash(key)).unwrap();
        RealDisk.write_draft(&trash(key).join("a.bin"), b"a").unwrap();
    }
    let bench = store.bench(entry.key()).unwrap();
    store.empty_trash().unwrap();
    assert_eq!(RealDisk.look(&trash(left)).unwrap(), None);
    assert!(RealDisk.look(&trash(entry.key())).unwrap().is_some(), "its process removes it");
    drop(bench);
    store.empty_trash().unwrap();
    assert_eq!(RealDisk.list(&store.root().join("trash")).unwrap(), [], "the folder stays");
    assert_eq!(RealDisk.list(&store.root().join("locks")).unwrap(), []);
}

#[test]
fn who_works_in_a_store_is_known() {
    let (_folder, store) = store();
    assert_eq!(store.holders().unwrap(), [""; 0]);
    let benches = [b"one", b"two"].map(|name| store.bench(Key::of_bytes(name)).unwrap());
    let [holder] = store.holders().unwrap().try_into().unwrap();
    assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
    drop(benches);
    // A lock that a killed process left is nobody's.
    let left = store.root().join("locks").join(Key::of_bytes(b"left").hex());
    RealDisk.write_draft(&left, b"process 1 on elsewhere").unwrap();
    assert_eq!(store.holders().unwrap(), [""; 0]);
}
