//! What an operator asks a host that does not feel well: each part is asked for itself, so that one that
//! cannot be reached, or may not be, is named.

use sop_core::Timestamp;

use crate::flow::{FlowError, Host, RulesHealth};
use crate::port::{Catalog, Clock, CronCursor, DeadLetters, DeadQueue, Heads, Journal, PortError};
use crate::report::chain;

/// Milliseconds after which a run that is due has been forgotten by its own timer and by two ticks.
const OVERDUE_MS: i64 = 150_000;

/// Runs, SOPs and letters that are counted at most: more is as bad.
const COUNTED_MAX: usize = 100;

/// One part: its figure, or why it could not be had.
pub type Part<T> = Result<T, String>;

/// How a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its clock.
    pub now: Timestamp,
    /// Publishes so far, and SOPs that are active.
    pub catalog: Part<(u64, usize)>,
    /// Up to when schedules have been looked at.
    pub last_tick: Part<Option<Timestamp>>,
    /// Runs that should have been woken minutes ago, up to 100.
    pub overdue: Part<usize>,
    /// Runs that wait for a person, up to 100.
    pub inbox: Part<usize>,
    /// SOPs with runs that wait for a slot, up to 100.
    pub congested: Part<usize>,
    /// The rules that hand over what arrives; none on a host without such.
    pub rules: Option<RulesHealth>,
    /// Dead letters, up to 100 a queue.
    pub dead: Vec<(DeadQueue, Part<usize>)>,
}

/// Looks at the host. Nothing is changed; never fails as a whole.
pub async fn health<S, Q, C>(host: &Host<S, Q, C>) -> Health
where
    S: Catalog + CronCursor + Heads + Journal,
    Q: DeadLetters,
    C: Clock,
{
    let (store, tenant, now) = (&host.store, &host.tenant, host.now());
    let mut dead = Vec::new();
    for queue in DeadQueue::ALL {
        let letters = host.queue.dead(queue, COUNTED_MAX).await;
        dead.push((queue, said(letters.map(|letters| letters.len()))));
    }
    let overdue = store.due(tenant, now.plus_millis(-OVERDUE_MS), COUNTED_MAX).await;
    let inbox = store.inbox(tenant, None, COUNTED_MAX).await;
    let congested = store.congested(tenant, COUNTED_MAX).await;
    Health {
        now,
        catalog: catalog(host).await.map_err(|error| chain(&error)),
        last_tick: said(store.last_check(tenant).await),
        overdue: said(overdue.map(|runs| runs.len())),
        inbox: said(inbox.map(|page| page.heads.len())),
        congested: said(congested.map(|sops| sops.len())),
        rules: rules(host).await,
        dead,
    }
}

async fn catalog<S: Catalog, Q, C: Clock>(host: &Host<S, Q, C>) -> Result<(u64, usize), FlowError> {
    let head = host.store.catalog_head(&host.tenant).await?;
    let active = host.active().await?;
    let sops = active.index.sops().iter().filter(|sop| !sop.archived).count();
    Ok((head.map_or(0, |head| head.version), sops))
}

async fn rules<S: Catalog, Q, C: Clock>(host: &Host<S, Q, C>) -> Option<RulesHealth> {
    let watch = host.rules.as_ref()?;
    match host.active().await {
        Ok(active) => Some(watch.look(&active.index).await),
        Err(error) => {
            let said = chain(&error);
            Some(RulesHealth { topics: Err(said.clone()), events: Err(said) })
        }
    }
}

fn said<T>(part: Result<T, PortError>) -> Part<T> {
    part.map_err(|error| chain(&error))
}
