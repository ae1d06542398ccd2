//! The checked form of a definition. Whatever holds one of these has been validated.
//!
//! Its JSON is what `sop show --format json` prints and what the catalog stores; its digest names it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Condition;
use crate::cron::CronExpr;
use crate::id::{Digest, SopName};
use crate::topic::TopicFilter;

/// How urgent the runs of an SOP are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Least.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Gates each step under `priority_based`.
    High,
    /// Most; gates each step under `priority_based`.
    Critical,
}

/// Which steps wait for an approval before they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionMode {
    /// None.
    Auto,
    /// The first.
    #[default]
    Supervised,
    /// Each.
    StepByStep,
    /// Each for critical and high priority, the first for normal and low.
    PriorityBased,
    /// None; only capability and checkpoint steps are allowed.
    Deterministic,
}

/// Who carries a step out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A person (or an agent that has earned it).
    #[default]
    Execute,
    /// A person's yes is all there is to it.
    Checkpoint,
    /// A built-in.
    Capability,
}

/// What a webhook caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A paired bearer token.
    #[default]
    Bearer,
    /// Nothing: the path is public.
    None,
}

/// What starts an SOP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Trigger {
    /// A person's or a program's start by name.
    Manual,
    /// An HTTP request.
    Webhook(WebhookTrigger),
    /// An MQTT message.
    Mqtt {
        /// The filter that the topic must match.
        topic: TopicFilter,
        /// What must hold of the payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
    },
    /// A schedule.
    Cron {
        /// Five, six or seven fields, in the SOP's time zone unless it has its own.
        expression: CronExpr,
        /// IANA name, or the SOP's when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
    /// A device uplink.
    Peripheral {
        /// Exact name of the board.
        board: String,
        /// Exact name of the signal.
        signal: String,
        /// What must hold of the payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
    },
}

/// The fields of a webhook trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookTrigger {
    /// Exact decoded path: `/webhook`, or one that begins with `/sop/`.
    pub path: String,
    /// HTTP method in upper case; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the caller must show.
    #[serde(default)]
    pub auth: Auth,
    /// What must hold of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place, counted from 1.
    pub number: u32,
    /// The bold lead-in, or the whole first line.
    pub title: String,
    /// The rest, as Markdown.
    pub body: String,
    /// Who carries it out.
    pub kind: StepKind,
    /// `tools`: hints for whoever does it.
    pub suggested_tools: Vec<String>,
    /// Gates the step in every mode.
    pub requires_confirmation: bool,
    /// The built-in of a capability step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The built-in's authored input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
    /// Tightens the SOP's mode for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ExecutionMode>,
}

/// One SOP, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Unique in a workspace.
    pub name: SopName,
    /// What it is for.
    pub description: String,
    /// The author's version; informational, the digest is what names a definition.
    pub version: String,
    /// How urgent its runs are.
    pub priority: Priority,
    /// Which steps wait for an approval.
    pub execution_mode: ExecutionMode,
    /// Seconds after a completed run in which events start nothing; 0 is none.
    pub cooldown_secs: u64,
    /// Runs that may be running at once; unlimited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// IANA time zone of its schedules.
    pub timezone: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstream: Option<String>,
    /// What starts it.
    pub triggers: Vec<Trigger>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Definition {
    /// The bytes that are stored and hashed: JSON, fields in declaration order.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a definition has only string keys")
    }

    /// What names this definition.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }

    /// The step numbered `number`.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Whether a run of it could do anything; one without steps loads but cannot be pushed.
    pub fn runnable(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether starts and finishes go through the SOP's admission counter.
    pub fn has_admission(&self) -> bool {
        self.max_concurrent.is_some() || self.cooldown_secs > 0
    }
}
