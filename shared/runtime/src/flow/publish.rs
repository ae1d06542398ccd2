//! Publishing: checked definitions become the active snapshot, all at once or not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sop_core::definition::{self, Definition, Diagnostic, Severity, SourceFiles, Workspace, code};
use sop_core::id::{Digest, SopName};
use sop_core::matching::{Listed, Snapshot};

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, Publish, Version, Versions};

/// What is pushed: the texts of SOPs, and what they share.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The SOPs.
    pub files: &'a [SourceFiles],
    /// What they share: the path, for display, and the text of `workspace.toml`.
    pub workspace: Option<(&'a str, &'a str)>,
    /// Why a JSON Schema cannot be used, `None` when it can. Without it schemas are taken as they are: whoever
    /// links a library for them says so.
    pub schema_problem: Option<fn(&Value) -> Option<String>>,
}

impl<'a> From<&'a [SourceFiles]> for Sources<'a> {
    fn from(files: &'a [SourceFiles]) -> Self {
        Self { files, workspace: None, schema_problem: None }
    }
}

/// What is to become of pushed definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// They are kept as drafts: nothing starts from them.
    Draft,
    /// They become active; other active SOPs stay.
    Publish,
    /// They become active, and are all that is.
    Replace,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq)]
pub enum Published {
    /// The definitions are active.
    Active {
        /// Counts publishes, from 1; unchanged when nothing differs.
        version: u64,
        /// Name and digest of each that was published.
        sops: Vec<(SopName, Digest)>,
        /// Warnings.
        diagnostics: Vec<Diagnostic>,
    },
    /// They are kept as drafts.
    Drafted {
        /// Name and digest of each.
        sops: Vec<(SopName, Digest)>,
        /// Warnings.
        diagnostics: Vec<Diagnostic>,
    },
    /// They have errors; nothing changed.
    Invalid {
        /// Errors and warnings.
        diagnostics: Vec<Diagnostic>,
    },
}

/// Whether events start runs of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionStatus {
    /// It has never been active.
    Draft,
    /// It is active.
    Active,
    /// It was active.
    Archived,
}

/// What became of an order to make a version active, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activated {
    /// It is so, now or already.
    Done {
        /// Counts publishes, from 1.
        version: u64,
        /// The definition that is active now; none when the SOP was archived.
        digest: Option<Digest>,
    },
    /// There is no such SOP or version.
    NoVersion,
}

/// Checks `sources` and keeps them as drafts or makes them active.
///
/// # Errors
/// When a port fails: either all of it is active or none.
pub async fn publish<S: Catalog + Versions, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sources: Sources<'_>,
    push: Push,
    by: &str,
) -> Result<Published, FlowError> {
    let (definitions, diagnostics) = check(sources);
    let Some(definitions) = definitions else {
        return Ok(Published::Invalid { diagnostics });
    };
    for definition in &definitions {
        let json = definition.to_json();
        let digest = Digest::of(json.as_bytes());
        host.store.put_definition(&digest, &json).await?;
    }
    let listed: Vec<Listed> = definitions.iter().map(Listed::from).collect();
    let sops = listed.iter().map(|sop| (sop.name.clone(), sop.digest)).collect();
    if push == Push::Draft {
        for sop in &listed {
            host.store.put_version(&host.tenant, &version_of(host, sop, by)).await?;
        }
        return Ok(Published::Drafted { sops, diagnostics });
    }
    let change = Change { add: &listed, remove: None, only: push == Push::Replace };
    let version = move_head(host, change, by).await?;
    Ok(Published::Active { version, sops, diagnostics })
}

/// Makes the version `digest` of `sop` active, or with none the version that was pushed last. A rollback is
/// the same with an earlier version.
///
/// # Errors
/// When a port fails.
pub async fn activate<S: Catalog + Versions, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    digest: Option<&Digest>,
    by: &str,
) -> Result<Activated, FlowError> {
    let versions = host.store.versions(&host.tenant, Some(sop), VERSIONS_MAX).await?;
    let found = match digest {
        Some(digest) => versions.iter().find(|version| version.digest == *digest),
        None => versions.first(),
    };
    let Some(found) = found else { return Ok(Activated::NoVersion) };
    let definition = host.definition(&found.digest).await?;
    let listed = [Listed::from(&*definition)];
    let change = Change { add: &listed, remove: None, only: false };
    let version = move_head(host, change, by).await?;
    Ok(Activated::Done { version, digest: Some(found.digest) })
}

/// Archives `sop`: no event starts it any more; its runs go on.
///
/// # Errors
/// When a port fails.
pub async fn archive<S: Catalog + Versions, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    by: &str,
) -> Result<Activated, FlowError> {
    let versions = host.store.versions(&host.tenant, Some(sop), 1).await?;
    let is_active = host.active().await?.index.find(sop).is_some();
    if versions.is_empty() && !is_active {
        return Ok(Activated::NoVersion);
    }
    let change = Change { add: &[], remove: Some(sop), only: false };
    let version = move_head(host, change, by).await?;
    Ok(Activated::Done { version, digest: None })
}

/// Versions of one SOP that are looked at.
const VERSIONS_MAX: usize = 1_000;

/// The versions of `sop`, or of all SOPs, the one pushed last first, each with its status.
///
/// # Errors
/// When a port fails.
pub async fn versions<S: Catalog + Versions, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sop: Option<&SopName>,
) -> Result<Vec<(Version, VersionStatus)>, FlowError> {
    let head = host.store.catalog_head(&host.tenant).await?;
    let active = host.load(head.map(|head| head.snapshot)).await?;
    let listed: BTreeSet<Digest> = active.index.active().map(|sop| sop.digest).collect();
    let versions = host.store.versions(&host.tenant, sop, VERSIONS_MAX).await?;
    let status = |version: &Version| match version.published_at {
        _ if listed.contains(&version.digest) => VersionStatus::Active,
        Some(_) => VersionStatus::Archived,
        None => VersionStatus::Draft,
    };
    Ok(versions.into_iter().map(|version| (version.clone(), status(&version))).collect())
}

fn version_of<S, Q, C: Clock>(host: &Host<S, Q, C>, sop: &Listed, by: &str) -> Version {
    Version {
        sop: sop.name.clone(),
        digest: sop.digest,
        version: sop.version.clone(),
        pushed_at: host.now(),
        pushed_by: by.to_owned(),
        published_at: None,
        published_by: None,
    }
}

/// The definitions in `sources`, or none when anything about them is an error. What could be loaded but
/// never run is an error here.
fn check(sources: Sources<'_>) -> (Option<Vec<Definition>>, Vec<Diagnostic>) {
    let (workspace, mut diagnostics) = match sources.workspace {
        Some((file, text)) => Workspace::parse(text, file),
        None => (Workspace::default(), Vec::new()),
    };
    let files = sources.files.iter();
    let parsed: Vec<_> = files.map(|files| definition::parse(files, &workspace)).collect();
    diagnostics.extend(definition::check_workspace(&parsed));
    let mut definitions = Vec::new();
    for (files, one) in sources.files.iter().zip(parsed) {
        if let (Some(problem), Some(_)) = (sources.schema_problem, &one.definition) {
            diagnostics.extend(definition::check_schemas(files, problem));
        }
        definitions.extend(one.definition);
        diagnostics.extend(one.diagnostics);
    }
    for diagnostic in &mut diagnostics {
        if diagnostic.code == code::NO_STEPS {
            diagnostic.severity = Severity::Error;
        }
    }
    let broken = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    ((!broken).then_some(definitions), diagnostics)
}

/// What is to differ in the next snapshot.
#[derive(Debug, Clone, Copy)]
struct Change<'a> {
    add: &'a [Listed],
    remove: Option<&'a SopName>,
    /// Nothing else stays.
    only: bool,
}

impl Change<'_> {
    /// The next snapshot. What runs of earlier versions may still wait for stays with their SOP.
    fn apply(self, active: &[Listed]) -> Snapshot {
        let stays = |sop: &Listed| !self.only && self.remove != Some(&sop.name);
        let mut listed: BTreeMap<SopName, Listed> = BTreeMap::new();
        for sop in active {
            let kept = if stays(sop) { Some(sop.clone()) } else { sop.clone().archive() };
            listed.extend(kept.map(|sop| (sop.name.clone(), sop)));
        }
        for sop in self.add {
            let mut sop = sop.clone();
            if let Some(before) = active.iter().find(|before| before.name == sop.name) {
                sop.inherit(before);
            }
            listed.insert(sop.name.clone(), sop);
        }
        Snapshot::new(listed.into_values())
    }
}

async fn move_head<S: Catalog + Versions, Q, C: Clock>(
    host: &Host<S, Q, C>,
    change: Change<'_>,
    by: &str,
) -> Result<u64, FlowError> {
    for listed in change.add {
        // Before it is active: a version that is active is known to have been.
        let mut version = version_of(host, listed, by);
        version.published_at = Some(host.now());
        version.published_by = Some(by.to_owned());
        host.store.put_version(&host.tenant, &version).await?;
    }
    loop {
        let head = host.store.catalog_head(&host.tenant).await?;
        // Not the host's remembered snapshot: what is kept must be what `head`, which is moved, names.
        let active = host.load(head.map(|head| head.snapshot)).await?;
        let snapshot = change.apply(active.index.sops());
        let json = serde_json::to_string(&snapshot).expect("a snapshot has only string keys");
        let digest = Digest::of(json.as_bytes());
        if let Some(head) = head
            && head.snapshot == digest
        {
            return Ok(head.version);
        }
        host.store.put_snapshot(&digest, &json).await?;
        let expected = head.map_or(0, |head| head.version);
        match host.store.publish(&host.tenant, expected, &digest).await? {
            Publish::Published(head) => {
                host.catalog.forget_head();
                return Ok(head.version);
            }
            Publish::Conflict => {}
        }
    }
}
