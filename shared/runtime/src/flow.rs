//! Flows: all that a host calls. Each decides with the core, appends, then acts.

mod accept;
mod act;
mod advance;
mod catalog;
mod dead;
mod dispatch;
mod ended;
mod error;
mod execute;
mod gate;
mod health;
mod hook;
mod host;
mod key;
mod lineage;
mod log;
mod pair;
mod people;
mod publish;
mod query;
mod rate;
mod reconcile;
mod replay;
mod rerun;
mod routine;
mod rule_health;
pub mod settings;
mod start;
mod tick;
mod values;

pub use accept::{Door, accept};
pub use advance::{Advanced, advance};
pub use catalog::{Active, CatalogCache};
pub use dead::{Dead, dead_letter, dead_letters, discard, note_failure, redrive};
pub use dispatch::dispatch;
pub use error::FlowError;
pub use execute::{Call, Notice, Perform, execute};
pub use gate::{GateShown, Shown, gate_shown};
pub use health::{Health, Part, health};
pub use hook::{Accepted, Answer, Answered, Hook, Sender, hook, take_hook};
pub use host::Host;
pub use log::{Detail, SopVerdict};
pub use pair::{
    Paired, authenticate, issue, issue_token, new_code, new_code_for, redeem, revoke, tokens,
};
pub use people::{ByHand, Submitted, run_by_hand, submit};
pub use publish::{
    Activated, Published, Push, Sources, VersionStatus, activate, archive, publish, versions,
};
pub use query::{EventFilter, RunDetail, events, inbox, journal, list_runs, run_detail};
pub use rate::{Exhausted, Rate, take_pairing};
pub use reconcile::{Reconciled, RuleSettings, reconcile_events, reconcile_topics};
pub use replay::{Recorded, Replayed, recorded, replay};
pub use rerun::{Rerun, rerun};
pub use routine::{RoutineShown, ScheduleShown, Switched, routines, switch};
pub use rule_health::{RuleHealth, RuleWatch, RulesHealth, rule_health};
pub use settings::Settings;
pub use tick::{Ticked, tick};
