//! Approval policies: who may say yes at a gate, how many must, and what happens when nobody does.

use serde::{Deserialize, Serialize};

/// What time does to a gate that nobody has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The escalation routes are told, and the clock starts again.
    #[default]
    Escalate,
    /// The run is cancelled.
    Cancel,
    /// The gate opens, without anybody's yes.
    AutoApprove,
}

/// Where word of an open gate is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Route {
    /// An HTTP address, signed as Standard Webhooks when `secret` names a key.
    Webhook {
        /// `http://` or `https://`.
        url: String,
        /// Name of the signing key among the host's secrets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// An SNS topic; e-mail is a subscription of it.
    Sns {
        /// `arn:aws:sns:...`.
        topic_arn: String,
    },
    /// An MQTT topic.
    Mqtt {
        /// Without wildcards.
        topic: String,
    },
}

/// How a gate is decided. A definition carries the policies that its steps name, members and all: who was
/// entitled is named by the definition's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The group whose members may decide; anyone who is known when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The group's members, by subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// People who must say yes: 1 and more.
    pub quorum: u32,
    /// Whoever started the run, or did the step before the gate, may not approve.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_self_approval: bool,
    /// Seconds after which `on_timeout` happens; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_secs: Option<u64>,
    /// What happens then.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// Told when a gate opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<Route>,
    /// Told when it escalates; `request` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<Route>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            group: None,
            members: Vec::new(),
            quorum: 1,
            no_self_approval: false,
            timeout_secs: None,
            on_timeout: OnTimeout::default(),
            request: Vec::new(),
            escalation: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether `subject` may decide at all.
    pub fn entitles(&self, subject: &str) -> bool {
        self.group.is_none() || self.members.iter().any(|member| member == subject)
    }
}
