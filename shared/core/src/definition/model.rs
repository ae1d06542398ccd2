//! The checked form of a definition. Whatever holds one of these has been validated.
//!
//! Its JSON is what `sop show --format json` prints and what the catalog stores; its digest names it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::flow::{AdmissionPolicy, Backoff, Case, Delegation, Delivery, OnFailure};
use super::policy::Policy;
use crate::condition::{Condition, ValuePath};
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A paired bearer token.
    #[default]
    Bearer,
    /// Nothing: the path is public.
    None,
    /// A signature over the request; no token.
    Signed(Signed),
}

/// Whose signatures a webhook takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// How they are made.
    pub scheme: Scheme,
    /// Names of secrets among the host's, of which any one may have signed; at least one.
    pub secrets: Vec<String>,
    /// Seconds for which the sender's clock may be off; [`crate::signature::TOLERANCE_SECS`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_secs: Option<u64>,
}

/// How a sender of webhooks signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `X-Hub-Signature-256`, over the body alone.
    Github,
    /// `Stripe-Signature`, over time stamp and body.
    Stripe,
    /// `X-Slack-Signature`, over time stamp and body.
    Slack,
    /// `webhook-signature`, over id, time stamp and body.
    StandardWebhooks,
}

impl Scheme {
    /// The name used in definitions and in ledgers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Stripe => "stripe",
            Self::Slack => "slack",
            Self::StandardWebhooks => "standard-webhooks",
        }
    }

    /// Whether a signature says when it was made.
    pub const fn is_timed(self) -> bool {
        match self {
            Self::Github => false,
            Self::Stripe | Self::Slack | Self::StandardWebhooks => true,
        }
    }
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
        /// Where in the payload the message's own id is: of messages with one id the first alone counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ValuePath>,
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
        /// Where in the payload the uplink's own id is, as of an MQTT message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ValuePath>,
    },
    /// An event of a bus. At least one of source and detail type is there.
    Event {
        /// Exact `source`; any when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Exact `detail-type`; any when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail_type: Option<String>,
        /// What must hold of the whole event, its `detail` being one member.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
    },
}

impl Trigger {
    /// Where in the payload the arrival's own id is, if the trigger says so.
    pub const fn key(&self) -> Option<&ValuePath> {
        match self {
            Self::Mqtt { key, .. } | Self::Peripheral { key, .. } => key.as_ref(),
            Self::Manual | Self::Webhook(_) | Self::Cron { .. } | Self::Event { .. } => None,
        }
    }
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The step is skipped unless it holds.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub only_if: Option<Condition>,
    /// `next`, `switch` and `terminal` count only when it holds; else the run goes on at the step after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The step to go on at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Ways out, of which the first that holds is taken; before `next`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switch: Vec<Case>,
    /// The run completes after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
    /// Steps that must have come to their end before it; makes the SOP a graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<u32>,
    /// What follows when it fails.
    #[serde(default, skip_serializing_if = "OnFailure::is_fail")]
    pub on_failure: OnFailure,
    /// The wait between tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Seconds that one try may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_secs: Option<u64>,
    /// JSON Schema of what it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// JSON Schema of what it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// How much of it an agent has earned to do; the SOP's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// Name of the policy of its gate, among the definition's `policies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What the approver is asked, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The field of what the gate shows that an approver may amend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
    /// Whether it may be done again when nobody knows whether it was done.
    #[serde(default, skip_serializing_if = "Delivery::is_default")]
    pub delivery: Delivery,
    /// The agent that is to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The only tools that an agent may use for it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_tools: Option<Vec<String>>,
    /// Tools that an agent may not use for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_tools: Vec<String>,
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
    /// What becomes of an event while the SOP is busy.
    #[serde(default, skip_serializing_if = "AdmissionPolicy::is_default")]
    pub admission_policy: AdmissionPolicy,
    /// Runs that may wait at a gate before events have to wait; no bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending_approvals: Option<u32>,
    /// How much of its steps an agent has earned to do, unless a step says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// JSON Schema of the payload of a start by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Seconds that a run may take from its start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_secs: Option<u64>,
    /// What starts it.
    pub triggers: Vec<Trigger>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The workspace's policies that its steps name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Policy>,
    /// Runs of all SOPs of the workspace that may be running at once; unlimited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_total: Option<u32>,
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

    /// Whether a run must hold a slot while built-ins work for it.
    pub fn has_slots(&self) -> bool {
        self.max_concurrent.is_some() || self.max_concurrent_total.is_some()
    }

    /// Whether starts and finishes go through the SOP's admission counter.
    pub fn has_admission(&self) -> bool {
        self.has_slots()
            || self.cooldown_secs > 0
            || self.max_pending_approvals.is_some()
            || self.admission_policy.is_one_at_a_time()
    }

    /// Whether its steps run as soon as those they depend on are done, instead of one after the other.
    pub fn is_graph(&self) -> bool {
        self.steps.iter().any(|step| !step.depends_on.is_empty())
    }

    /// Whether step `number` is step `on`, or depends on it, directly or by others. Of a graph.
    pub fn depends(&self, number: u32, on: u32) -> bool {
        let mut dependent = BTreeSet::from([on]);
        // A step depends on steps of any number, so one pass need not do.
        loop {
            let more: Vec<u32> = self
                .steps
                .iter()
                .filter(|step| !dependent.contains(&step.number))
                .filter(|step| step.depends_on.iter().any(|it| dependent.contains(it)))
                .map(|step| step.number)
                .collect();
            if more.is_empty() {
                return dependent.contains(&number);
            }
            dependent.extend(more);
        }
    }

    /// The policy of `step`'s gate: one yes of anyone who is known, unless it names another.
    pub fn policy(&self, step: &Step) -> Policy {
        let named = step.policy.as_ref().and_then(|name| self.policies.get(name));
        named.cloned().unwrap_or_default()
    }
}
