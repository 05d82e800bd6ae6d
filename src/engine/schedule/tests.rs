//! Tests of the scheduler with stages that wait, fail, stop and panic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::disk::{Disk as _, RealDisk};
use crate::engine::testing::{Fake, Site};

fn words(site: &Site, summary: &Summary) -> Vec<String> {
    let words = |(id, outcome): (&NodeId, &Outcome)| {
        let label = site.graph.node(*id).label();
        match outcome {
            Outcome::Cached => format!("{label} cached"),
            Outcome::Done { .. } => format!("{label} done"),
            Outcome::Failed(failure) => format!("{label} failed: {failure}"),
            Outcome::Interrupted => format!("{label} interrupted"),
            Outcome::Blocked { by } => {
                format!("{label} blocked by {}", site.graph.node(*by).label())
            }
        }
    };
    summary.outcomes.iter().map(words).collect()
}

#[test]
fn inputs_run_first_and_cached_nodes_do_not_run() {
    let mut site = Site::new();
    let a = site.add(Fake::new("a", json!(null)), &[]);
    let b = site.add(
        Fake::doing("b", |inputs, bench, _| {
            let text = inputs.read("from", "out.txt")?;
            Ok(bench.put("copy.txt", &text)?)
        }),
        &[("from", a)],
    );
    assert_eq!(words(&site, &site.run(&[b], 3)), ["a done", "b done"]);
    let again = site.run(&[b], 3);
    assert!(again.complete() && again.done() == 0);
    assert_eq!(words(&site, &again), ["b cached"]);
    // The result stands without what it was made from.
    RealDisk
        .remove(&site.store.root().join("entries").join(site.graph.node(a).key().hex()))
        .unwrap();
    assert_eq!(words(&site, &site.run(&[b], 3)), ["b cached"]);
    assert_eq!(site.started(), ["a", "b"]);
}

#[test]
fn the_order_of_work_is_the_order_of_adding() {
    let mut site = Site::new();
    let ids: Vec<_> = (0..6).map(|i| site.add(Fake::new("n", json!(i)), &[])).collect();
    let last = site.add(Fake::new("last", json!(null)), &[("x", ids[5]), ("y", ids[0])]);
    let mut targets = ids.clone();
    targets.insert(0, last);
    targets.reverse();
    site.run(&targets, 1);
    assert_eq!(site.started(), ["n 0", "n 1", "n 2", "n 3", "n 4", "n 5", "last"]);
}

#[test]
fn independent_stages_run_at_the_same_time() {
    let mut site = Site::new();
    let (to_b, from_a) = mpsc::channel();
    let (to_a, from_b) = mpsc::channel();
    let meet = |send: mpsc::Sender<()>, receive: mpsc::Receiver<()>| {
        let receive = Mutex::new(receive);
        move |_: &Inputs, _: &_, _: &Context| {
            send.send(()).map_err(Failure::other)?;
            // Generous: it only passes when the stages run one after the other.
            receive.lock().unwrap().recv_timeout(Duration::from_secs(60)).map_err(Failure::other)
        }
    };
    let a = site.add(Fake::doing("a", meet(to_b, from_b)), &[]);
    let b = site.add(Fake::doing("b", meet(to_a, from_a)), &[]);
    assert_eq!(words(&site, &site.run(&[a, b], 2)), ["a done", "b done"]);
}

#[test]
fn a_failure_blocks_what_depends_on_it_and_nothing_else() {
    let mut site = Site::new();
    let well = Arc::new(AtomicBool::new(false));
    let now_well = well.clone();
    let bad = site.add(
        Fake::doing("bad", move |_, bench, _| {
            bench.put("part", b"1")?;
            let step = 120;
            let what = "the loss is NaN".to_owned();
            if well.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err(Failure::Diverged { step, what })
            }
        }),
        &[],
    );
    let child = site.add(Fake::new("child", json!(null)), &[("bad", bad)]);
    let good = site.add(Fake::new("good", json!(null)), &[]);
    let grandchild = site.add(Fake::new("grandchild", json!(null)), &[("a", child), ("b", good)]);
    let summary = site.run(&[grandchild], 2);
    assert_eq!(
        words(&site, &summary),
        [
            "bad failed: diverged at step 120: the loss is NaN",
            "child blocked by bad",
            "good done",
            "grandchild blocked by bad"
        ]
    );
    assert!(!summary.complete() && !summary.interrupted());
    assert_eq!(summary.failures().map(|(id, _)| id).collect::<Vec<_>>(), [bad]);
    now_well.store(true, Ordering::Relaxed);
    let want = ["bad done", "child done", "good cached", "grandchild done"];
    assert_eq!(words(&site, &site.run(&[grandchild], 2)), want);
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let mut site = Site::new();
    let stop = site.stop.clone();
    let first = site.add(
        Fake::doing("first", move |_, bench, context| {
            if bench.get("part")?.is_none() {
                bench.put("part", b"1")?;
                bench.note("step 1 of 2")?;
                stop.set();
            }
            context.proceed()?;
            Ok(bench.put("rest", b"2")?)
        }),
        &[],
    );
    let second = site.add(Fake::new("second", json!(null)), &[("x", first)]);
    let other = site.add(Fake::new("other", json!(null)), &[]);
    let summary = site.run(&[second, other], 1);
    let want = ["first interrupted", "second interrupted", "other interrupted"];
    assert_eq!(words(&site, &summary), want);
    assert!(summary.interrupted() && summary.failures().next().is_none());

    site.stop = StopFlag::default();
    assert!(site.run(&[second, other], 1).complete());
    let resumed = site.record.events().into_iter().find_map(|event| match event {
        Event::Started { label, resumes: true, note, .. } => Some((label, note)),
        _ => None,
    });
    assert_eq!(resumed, Some(("first".to_owned(), Some("step 1 of 2".to_owned()))));
}

#[test]
fn a_damaged_entry_is_made_again() {
    let mut site = Site::new();
    let a = site.add(Fake::new("a", json!(null)), &[]);
    site.run(&[a], 1);
    let path = site.store.root().join("entries").join(site.graph.node(a).key().hex());
    RealDisk.remove(&path.join("out.txt")).unwrap();
    assert_eq!(words(&site, &site.run(&[a], 1)), ["a done"]);
    assert!(matches!(site.store.verify(site.graph.node(a).key()).unwrap(), Found::Whole(_)));
}

#[test]
fn a_key_in_work_elsewhere_is_left_alone() {
    let mut site = Site::new();
    let a = site.add(Fake::new("a", json!(null)), &[]);
    let bench = site.store.bench(site.graph.node(a).key()).unwrap();
    let summary = site.run(&[a], 1);
    let (_, failure) = summary.failures().next().unwrap();
    assert!(failure.to_string().contains(" is working on it (lock `"), "{failure}");
    assert!(site.started().is_empty());
    drop(bench);
    assert!(site.run(&[a], 1).complete());
}

#[test]
fn a_bug_in_a_stage_ends_the_run_instead_of_hanging_it() {
    let mut site = Site::new();
    let bug = site.add(Fake::doing("bug", |_, _, _| panic!("on purpose")), &[]);
    let child = site.add(Fake::new("child", json!(null)), &[("x", bug)]);
    let run = AssertUnwindSafe(|| site.run(&[child], 2));
    assert!(panic::catch_unwind(run).is_err());
    assert!(site.store.bench(site.graph.node(bug).key()).is_ok(), "its lock is free");
}
