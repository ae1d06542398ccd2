//! The SOPs of a folder, pushed at the start and whenever a file changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use sop_core::definition::{self, Severity, SourceFiles};
use sop_runtime::flow::{self, Published, Push, Sources};
use sop_runtime::report::chain;
use tokio::sync::watch;

use super::Local;
use crate::workspace::{self, SHARED_FILE, Workspace};

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the folder looked like: each file's path, time and length.
pub(super) type Fingerprint = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// What a push of the folder came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    /// The SOPs that are active.
    pub(super) names: Vec<String>,
    /// What the folder looked like.
    pub(super) fingerprint: Fingerprint,
    /// The texts that are active, by directory: a mistake leaves what was there before.
    good: BTreeMap<String, SourceFiles>,
    /// The path and text of the `workspace.toml` that they are active under.
    shared: Option<(String, String)>,
}

/// Pushes what is valid in the folder; tells on standard error what is not. An SOP that was valid in
/// `before` stays as it was until it is mended.
pub(super) async fn once(host: &Local, folder: &Path, before: &Loaded) -> Result<Loaded> {
    let fingerprint = fingerprint(folder)?;
    let mut good = BTreeMap::new();
    let read = Workspace::read(folder)?;
    if let Some(shared) = &read.shared {
        for diagnostic in &shared.diagnostics {
            eprintln!("{}", definition::diagnostic::render(diagnostic, &shared.toml));
        }
    }
    if read.is_broken() {
        eprintln!("everything stays as it was until `workspace.toml` is mended\n");
        let Loaded { names, good, shared, .. } = before.clone();
        return Ok(Loaded { names, fingerprint, good, shared });
    }
    let shared = read.shared.map(|shared| (shared.file, shared.toml));
    for one in read.folders {
        for diagnostic in &one.diagnostics {
            eprintln!("{}", definition::diagnostic::render(diagnostic, one.source_of(diagnostic)));
        }
        let directory = one.files.directory.clone();
        if one.definition.is_some_and(|definition| definition.runnable()) {
            good.insert(directory, one.files);
        } else if let Some(files) = before.good.get(&directory) {
            eprintln!("`{directory}` stays as it was until it is mended\n");
            good.insert(directory, files.clone());
        } else {
            eprintln!("`{directory}` is left out until it is mended\n");
        }
    }
    let files: Vec<SourceFiles> = good.values().cloned().collect();
    let workspace = shared.as_ref().map(|(file, text)| (file.as_str(), text.as_str()));
    let schema_problem = Some(sop_schema::problem as fn(&_) -> _);
    let sources = Sources { files: &files, workspace, schema_problem };
    match flow::publish(host, sources, Push::Replace, "sop dev")
        .await
        .context("could not publish the SOPs")?
    {
        Published::Active { sops, .. } | Published::Drafted { sops, .. } => {
            let names = sops.into_iter().map(|(name, _)| name.to_string()).collect();
            Ok(Loaded { names, fingerprint, good, shared })
        }
        Published::Invalid { diagnostics } => {
            for diagnostic in diagnostics.iter().filter(|one| one.severity == Severity::Error) {
                eprintln!("{}: {}", diagnostic.file, diagnostic.message);
            }
            let Loaded { good, shared, .. } = before.clone();
            Ok(Loaded { fingerprint, good, shared, ..Loaded::default() })
        }
    }
}

/// Pushes the folder again whenever it changes.
pub(super) async fn watch(
    host: Arc<Local>,
    folder: PathBuf,
    mut last: Loaded,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.changed() => return,
        }
        match fingerprint(&folder) {
            Ok(now) if now == last.fingerprint => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&*error), "sops folder");
                continue;
            }
        }
        match once(&host, &folder, &last).await {
            Ok(loaded) => {
                eprintln!("reloaded: {}", loaded.names.join(", "));
                last = loaded;
            }
            Err(error) => tracing::error!(error = %chain(&*error), "reload"),
        }
    }
}

fn fingerprint(folder: &Path) -> Result<Fingerprint> {
    let folders = workspace::folders(folder)?;
    let files = folders.iter().flat_map(|one| [one.join("SOP.toml"), one.join("SOP.md")]);
    let mut found = Vec::new();
    for path in files.chain([folder.join(SHARED_FILE)]) {
        if let Ok(metadata) = std::fs::metadata(&path) {
            found.push((path, metadata.modified().ok(), metadata.len()));
        }
    }
    Ok(found)
}
