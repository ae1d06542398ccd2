//! Reading: runs, the inbox, journals, the dispatch log.

use sop_core::definition::Definition;
use sop_core::engine::RunView;
use sop_core::event::Source;
use sop_core::id::{RunId, SopName};
use sop_core::journal::Sealed;
use std::sync::Arc;

use crate::flow::advance::load;
use crate::flow::log::{Detail, SAMPLED, UNMATCHED, count_in};
use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, EventLog, HeadPage, Heads, Journal, LogLine, LogPage, LogQuery};

/// Entries read at once.
const ENTRIES_PAGE: usize = 200;

/// Pages of the log that one question looks through.
const EVENT_ROUNDS_MAX: usize = 40;

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

/// Which lines of the dispatch log are wanted; all by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// The door.
    pub source: Option<Source>,
    /// `matched`, `unmatched` or `refused`.
    pub outcome: Option<String>,
    /// An SOP that has a verdict.
    pub sop: Option<SopName>,
}

impl EventFilter {
    fn takes(&self, line: &LogLine) -> bool {
        let of_sop = |sop: &SopName| {
            let detail: Detail = serde_json::from_str(&line.detail).unwrap_or_default();
            detail.verdicts.iter().any(|verdict| verdict.sop == sop.as_str())
        };
        if line.outcome == SAMPLED {
            // What it stands for is unmatched, of any door, and of no SOP that came near for certain.
            let fits = |outcome: &String| outcome == UNMATCHED || outcome == SAMPLED;
            return self.outcome.as_ref().is_none_or(fits);
        }
        self.source.is_none_or(|source| source == line.source)
            && self.outcome.as_ref().is_none_or(|outcome| *outcome == line.outcome)
            && self.sop.as_ref().is_none_or(of_sop)
    }
}

/// Lines of the dispatch log that `filter` takes, newest first.
///
/// A page may hold fewer than asked for although others follow: only so many lines are looked through.
///
/// # Errors
/// When a port fails.
pub async fn events<S: EventLog, Q, C>(
    host: &Host<S, Q, C>,
    query: &LogQuery,
    filter: &EventFilter,
) -> Result<LogPage, FlowError> {
    let mut query = query.clone();
    let wanted = query.limit;
    let mut lines: Vec<LogLine> = Vec::new();
    for _ in 0..EVENT_ROUNDS_MAX {
        // Never more than still fit, so that the next page begins where this one ends.
        query.limit = wanted - lines.len();
        let page = host.store.list(&query).await?;
        lines.extend(page.lines.into_iter().filter(|line| filter.takes(line)));
        query.after = page.next;
        if query.after.is_none() || lines.len() >= wanted {
            break;
        }
    }
    for line in lines.iter_mut().filter(|line| line.outcome == SAMPLED) {
        count_in(&host.store, &host.tenant, line).await?;
    }
    Ok(LogPage { lines, next: query.after })
}
