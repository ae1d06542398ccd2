//! One file a group of routes.

mod catalog;
mod dead;
mod events;
mod health;
mod hook;
mod pairing;
mod people;
mod routines;
mod runs;
mod tokens;
mod versions;

pub(crate) use catalog::{list_sops, push, run_sop, show_sop};
pub(crate) use dead::{discard, list_dead, redrive, show_dead};
pub(crate) use events::{emit, list_events, replay, show_event};
pub(crate) use health::{health, no_method, no_route, parts};
pub(crate) use hook::hook;
pub(crate) use pairing::{new_pairing_code, pair};
pub(crate) use people::{cancel, complete, decide, fail, order, rerun};
pub(crate) use routines::{list_routines, switch};
pub(crate) use runs::{inbox, journal, list_runs, show_gate, show_run};
pub(crate) use tokens::{is_id as is_token_id, list_tokens, revoke_token};
pub(crate) use versions::{activate, archive, definition, versions};

use std::sync::Arc;

use sop_runtime::flow::Host;

/// What every handler is given.
pub(crate) type Shared<S, Q, C> = axum::extract::State<Arc<Host<S, Q, C>>>;

/// What the webhook's handler is given: the host, and the secrets that senders sign with.
pub(crate) type Guarded<S, Q, C, K> = axum::extract::State<(Arc<Host<S, Q, C>>, Arc<K>)>;
