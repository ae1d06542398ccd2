//! Reading: runs, the inbox, journals, the dispatch log.

use sop_core::definition::Definition;
use sop_core::engine::RunView;
use sop_core::id::RunId;
use sop_core::journal::Sealed;
use std::sync::Arc;

use crate::flow::advance::load;
use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, EventLog, HeadPage, Heads, Journal, LogPage, LogQuery};

/// Entries read at once.
const ENTRIES_PAGE: usize = 200;

/// A run with the definition it is a run of.
#[derive(Debug, Clone)]
pub struct RunDetail {
    /// What is shown of it.
    pub view: RunView,
    /// Its definition.
    pub sop: Arc<Definition>,
}

/// A run, from its journal: never behind.
///
/// # Errors
/// [`FlowError::NoRun`] when there is none, others when a port fails.
pub async fn run_detail<S, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> Result<RunDetail, FlowError>
where
    S: Journal + Catalog,
    C: Clock,
{
    let at = load(host, run).await?;
    Ok(RunDetail { view: RunView::of(&at.sop, at.run()), sop: at.sop })
}

/// The runs, newest first.
///
/// # Errors
/// When a port fails.
pub async fn list_runs<S: Heads, Q, C>(
    host: &Host<S, Q, C>,
    after: Option<&str>,
    limit: usize,
) -> Result<HeadPage, FlowError> {
    Ok(host.store.runs(&host.tenant, after, limit).await?)
}

/// The runs that wait for a person, longest waiting first.
///
/// # Errors
/// When a port fails.
pub async fn inbox<S: Heads, Q, C>(
    host: &Host<S, Q, C>,
    after: Option<&str>,
    limit: usize,
) -> Result<HeadPage, FlowError> {
    Ok(host.store.inbox(&host.tenant, after, limit).await?)
}

/// The whole journal of a run, verbatim, for whoever verifies it.
///
/// # Errors
/// [`FlowError::NoRun`] when there is none, others when a port fails.
pub async fn journal<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
) -> Result<Vec<Sealed>, FlowError> {
    let mut entries: Vec<Sealed> = Vec::new();
    loop {
        let from = entries.last().map_or(0, |entry| entry.seq + 1);
        let page = host.store.entries(run, from, ENTRIES_PAGE).await?;
        let last = page.len() < ENTRIES_PAGE;
        entries.extend(page);
        if last {
            break;
        }
    }
    if entries.is_empty() {
        return Err(FlowError::NoRun(run.clone()));
    }
    Ok(entries)
}

/// Lines of the dispatch log, newest first.
///
/// # Errors
/// When a port fails.
pub async fn events<S: EventLog, Q, C>(
    host: &Host<S, Q, C>,
    query: &LogQuery,
) -> Result<LogPage, FlowError> {
    Ok(host.store.list(query).await?)
}
