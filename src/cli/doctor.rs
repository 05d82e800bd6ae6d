//! `doctor`: what this machine has.

use std::path::Path;

use clap::Args;

use super::setting::{data_folder, device, store_folder};
use super::{Stop, say};
use crate::engine::Store;

#[derive(Args)]
pub(super) struct Doctor {
    /// Folder of the artifact store [default: `ERSATZ_CACHE` or `.ersatz`]
    #[arg(long)]
    store: Option<String>,
}

impl Doctor {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        say(format!("ersatz    {}", env!("CARGO_PKG_VERSION")));
        say(format!("system    {} {}", std::env::consts::OS, std::env::consts::ARCH));
        say(format!("threads   {}", rayon::current_num_threads()));
        say(format!("vectors   {}", vectors()));
        let gpu = match device("cuda:0") {
            Ok(_) => "this build can use CUDA devices",
            Err(_) => "none: a build with `--features cuda` can use them",
        };
        say(format!("gpu       {gpu}"));
        let folder = store_folder(self.store.as_deref());
        let store = Store::open(&folder)?;
        let (keys, free) = (store.keys()?.len(), store.free_bytes()? >> 20);
        say(format!("store     {folder}: {keys} entries, {free} MiB free"));
        let data = data_folder();
        let found = if Path::new(&data).is_dir() { "found" } else { "absent" };
        say(format!("data      ERSATZ_DATA = {data}: {found}; the digits are in the program"));
        Ok(())
    }
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    match (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx2")) {
        (true, _) => "AVX-512",
        (_, true) => "AVX2",
        _ => "SSE2",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    std::env::consts::ARCH
}
