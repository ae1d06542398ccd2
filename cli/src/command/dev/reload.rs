//! The SOPs of a folder, pushed at the start and whenever a file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sop_core::definition::{self, Severity, SourceFiles};
use sop_runtime::flow::{self, Published};
use sop_runtime::report::chain;
use tokio::sync::watch;

use super::Local;

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the folder looked like: each file's path, time and length.
pub(super) type Fingerprint = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// What a push of the folder came to.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The SOPs that are active.
    pub(super) names: Vec<String>,
    /// What the folder looked like.
    pub(super) fingerprint: Fingerprint,
}

/// Pushes what is valid in the folder; tells on standard error what is not.
pub(super) async fn once(host: &Local, folder: &Path) -> Result<Loaded> {
    let fingerprint = fingerprint(folder)?;
    let files = read(folder)?;
    let mut good = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for one in files {
        let parsed = definition::parse(&one);
        for diagnostic in &parsed.diagnostics {
            let source = if diagnostic.file.ends_with("SOP.md") {
                one.markdown.as_deref().unwrap_or_default()
            } else {
                &one.toml
            };
            eprintln!("{}", definition::diagnostic::render(diagnostic, source));
        }
        let Some(definition) = parsed.definition.filter(definition::Definition::runnable) else {
            eprintln!("`{}` is left out until it is mended\n", one.directory);
            continue;
        };
        if seen.insert(definition.name.clone()) {
            good.push(one);
        } else {
            eprintln!(
                "`{}` is left out: another SOP is called `{}`\n",
                one.directory, definition.name
            );
        }
    }
    match flow::publish(host, &good, true).await.context("could not publish the SOPs")? {
        Published::Active { sops, .. } => {
            let names = sops.into_iter().map(|(name, _)| name.to_string()).collect();
            Ok(Loaded { names, fingerprint })
        }
        Published::Invalid { diagnostics } => {
            for diagnostic in diagnostics.iter().filter(|one| one.severity == Severity::Error) {
                eprintln!("{}: {}", diagnostic.file, diagnostic.message);
            }
            Ok(Loaded { names: Vec::new(), fingerprint })
        }
    }
}

/// Pushes the folder again whenever it changes.
pub(super) async fn watch(
    host: Arc<Local>,
    folder: PathBuf,
    mut last: Fingerprint,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.changed() => return,
        }
        match fingerprint(&folder) {
            Ok(now) if now == last => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&*error), "sops folder");
                continue;
            }
        }
        match once(&host, &folder).await {
            Ok(loaded) => {
                eprintln!("reloaded: {}", loaded.names.join(", "));
                last = loaded.fingerprint;
            }
            Err(error) => tracing::error!(error = %chain(&*error), "reload"),
        }
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("could not read the folder `{}`", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("SOP.toml").is_file())
        .collect();
    found.sort();
    Ok(found)
}

fn fingerprint(folder: &Path) -> Result<Fingerprint> {
    let mut found = Vec::new();
    for folder in folders(folder)? {
        for name in ["SOP.toml", "SOP.md"] {
            let path = folder.join(name);
            if let Ok(metadata) = std::fs::metadata(&path) {
                found.push((path, metadata.modified().ok(), metadata.len()));
            }
        }
    }
    Ok(found)
}

fn read(folder: &Path) -> Result<Vec<SourceFiles>> {
    let text = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("could not read `{}`", path.display()))
    };
    folders(folder)?
        .into_iter()
        .map(|folder| {
            let markdown = folder.join("SOP.md");
            Ok(SourceFiles {
                directory: folder.display().to_string(),
                toml: text(&folder.join("SOP.toml"))?,
                markdown: markdown.is_file().then(|| text(&markdown)).transpose()?,
            })
        })
        .collect()
}
