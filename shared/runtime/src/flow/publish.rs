//! Publishing: checked definitions become the active snapshot, all at once or not at all.

use std::collections::BTreeMap;

use sop_core::definition::{self, Definition, Diagnostic, Severity, SourceFiles, Workspace, code};
use sop_core::id::{Digest, SopName};
use sop_core::matching::{Listed, Snapshot};

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, Publish};

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
    /// They have errors; nothing changed.
    Invalid {
        /// Errors and warnings.
        diagnostics: Vec<Diagnostic>,
    },
}

/// The texts of a publish.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    /// Those of each SOP.
    pub sops: Vec<SourceFiles>,
    /// What they share: the path, for display, and the text of `workspace.toml`.
    pub workspace: Option<(String, String)>,
}

/// As [`publish_texts`], of SOPs without a `workspace.toml`.
///
/// # Errors
/// As those of [`publish_texts`].
pub async fn publish<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    files: &[SourceFiles],
    prune: bool,
) -> Result<Published, FlowError> {
    let texts = Texts { sops: files.to_vec(), workspace: None };
    publish_texts(host, &texts, prune).await
}

/// Checks the SOPs of `texts` and makes them active. With `prune` they are all there is; without, other active
/// SOPs stay.
///
/// # Errors
/// When a port fails: either all of it is active or none.
pub async fn publish_texts<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    texts: &Texts,
    prune: bool,
) -> Result<Published, FlowError> {
    let (definitions, diagnostics) = check(texts);
    let Some(definitions) = definitions else {
        return Ok(Published::Invalid { diagnostics });
    };
    for definition in &definitions {
        let json = definition.to_json();
        host.store.put_definition(&Digest::of(json.as_bytes()), &json).await?;
    }
    let sops = definitions.iter().map(|sop| (sop.name.clone(), sop.digest())).collect();
    let version = move_head(host, &definitions, prune).await?;
    Ok(Published::Active { version, sops, diagnostics })
}

/// The definitions in `texts`, or none when anything about them is an error. What could be loaded but
/// never run is an error here.
fn check(texts: &Texts) -> (Option<Vec<Definition>>, Vec<Diagnostic>) {
    let (workspace, mut diagnostics) = match &texts.workspace {
        Some((file, text)) => Workspace::parse(text, file),
        None => (Workspace::default(), Vec::new()),
    };
    let parsed: Vec<_> =
        texts.sops.iter().map(|files| definition::parse(files, &workspace)).collect();
    diagnostics.extend(definition::check_workspace(&parsed));
    let mut definitions = Vec::new();
    for one in parsed {
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

async fn move_head<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    definitions: &[Definition],
    prune: bool,
) -> Result<u64, FlowError> {
    loop {
        let head = host.store.catalog_head(&host.tenant).await?;
        // Not the host's remembered snapshot: what is kept must be what `head`, which is moved, names.
        let active = host.load(head.map(|head| head.snapshot)).await?;
        let mut listed: BTreeMap<SopName, Listed> = BTreeMap::new();
        if !prune {
            listed.extend(active.index.sops().iter().map(|sop| (sop.name.clone(), sop.clone())));
        }
        listed.extend(definitions.iter().map(|sop| (sop.name.clone(), Listed::from(sop))));
        let snapshot = Snapshot::new(listed.into_values());
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
