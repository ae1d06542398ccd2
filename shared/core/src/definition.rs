//! Definitions: what `SOP.toml` and `SOP.md` say, checked.

mod model;

pub use model::{
    Auth, Definition, ExecutionMode, Priority, Step, StepKind, Trigger, WebhookTrigger,
};
