//! The environment of a function, read once.
//!
//! | variable | read by | what it is |
//! |---|---|---|
//! | `SOP_TABLE` | all but mqtt and peripheral | name of the DynamoDB table |
//! | `SOP_EVENTS_QUEUE_URL` | all | address of the events queue |
//! | `SOP_EFFECTS_QUEUE_URL` | api, dispatcher; others may leave it out | address of the effects queue |
//! | `SOP_EVENTS_DEAD_URL`, `SOP_EFFECTS_DEAD_URL`, `SOP_ARRIVALS_DEAD_URL` | api | addresses of the dead letters |
//! | `SOP_LOG_KEPT_DAYS` | all that write the dispatch log; 30 when it is left out | days for which a line is kept |
//! | `SOP_LOG_UNMATCHED_PER_MINUTE` | the same; 0, which is any number, when it is left out | lines of unmatched events a minute |
//! | `SOP_PREFIX` | all; `sopwith` when it is left out | what the names of the stack begin with: a dimension of its metrics |
//! | `SOP_IOT_DATA_ENDPOINT` | executor; the region's when it is left out | where MQTT messages are published |
//! | `SOP_SECRETS_PREFIX` | executor, webhook; `sopwith/` when it is left out | what the names of secrets begin with |
//! | `SOP_WEBHOOK_RATE_LIMIT` | webhook; 60 when it is left out | requests that one client has in a minute; 0 for any number |
//! | `SOP_PAIR_RATE_LIMIT` | api; 10 when it is left out | tries to pair that one address has in a minute; 0 for any number |
//! | `SOP_WEBHOOK_SECRET` | webhook; none when it is left out | name of the secret that each webhook must show |
//! | `SOP_TEMPLATE_DIGEST` | api; none when it is left out | SHA-256 of the template that was deployed |
//! | `SOP_TENANT` | all; `default` when it is left out | whose data |
//! | `SOP_LOG` | all; `info` when it is left out | `off`, `error`, `warn`, `info`, `debug` or `trace` |
//! | `AWS_ENDPOINT_URL` | all; left out on AWS | where an emulator answers |
//!
//! Region and credentials are those that Lambda sets.

use sop_aws::QueueUrls;
use sop_core::Tenant;
use sop_runtime::flow::Settings;

/// Name of the table.
pub const TABLE: &str = "SOP_TABLE";
/// Address of the events queue.
pub const EVENTS_QUEUE_URL: &str = "SOP_EVENTS_QUEUE_URL";
/// Address of the effects queue.
pub const EFFECTS_QUEUE_URL: &str = "SOP_EFFECTS_QUEUE_URL";
/// Address of the events queue's dead letters.
pub const EVENTS_DEAD_URL: &str = "SOP_EVENTS_DEAD_URL";
/// Address of the effects queue's dead letters.
pub const EFFECTS_DEAD_URL: &str = "SOP_EFFECTS_DEAD_URL";
/// Address of what never became an event.
pub const ARRIVALS_DEAD_URL: &str = "SOP_ARRIVALS_DEAD_URL";
/// Days for which the dispatch log keeps a line.
pub const LOG_KEPT_DAYS: &str = "SOP_LOG_KEPT_DAYS";
/// Lines of unmatched events a minute.
pub const LOG_UNMATCHED: &str = "SOP_LOG_UNMATCHED_PER_MINUTE";
/// What the names of secrets begin with.
pub const SECRETS_PREFIX: &str = "SOP_SECRETS_PREFIX";
/// What the names of the stack begin with.
pub const PREFIX: &str = "SOP_PREFIX";
/// Where MQTT messages are published.
pub const IOT_DATA_ENDPOINT: &str = "SOP_IOT_DATA_ENDPOINT";
/// Webhook requests that one client has in a minute.
pub const WEBHOOK_RATE_LIMIT: &str = "SOP_WEBHOOK_RATE_LIMIT";
/// Tries to pair that one address has in a minute.
pub const PAIR_RATE_LIMIT: &str = "SOP_PAIR_RATE_LIMIT";
/// Name of the secret that each webhook must show.
pub const WEBHOOK_SECRET: &str = "SOP_WEBHOOK_SECRET";
/// SHA-256 of the template that was deployed.
pub const TEMPLATE: &str = "SOP_TEMPLATE_DIGEST";
/// Whose data.
pub const TENANT: &str = "SOP_TENANT";
/// How much is logged.
pub const LOG: &str = "SOP_LOG";

/// The environment does not say what the function needs to know.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// A variable that the function needs is missing or empty.
    #[error("`{0}` is not set")]
    Missing(&'static str),
    /// The tenant's name is not one.
    #[error("`{TENANT}` is not the name of a tenant")]
    Tenant(#[source] sop_core::id::IdError),
    /// What has to be a number is none.
    #[error("`{0}` is not a whole number")]
    Number(&'static str),
}

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// Whose data.
    pub tenant: Tenant,
    /// What the names of secrets begin with, such as `sopwith/`.
    pub secrets_prefix: String,
    /// The account's IoT data endpoint, where it is named.
    pub iot_data_endpoint: Option<String>,
    table: Option<String>,
    events: Option<String>,
    effects: Option<String>,
    dead: [Option<String>; 3],
    /// What the operator decided.
    pub settings: Settings,
}

impl Env {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// When the tenant's name is not one.
    pub fn read() -> Result<Self, EnvError> {
        Self::from(|name| std::env::var(name).ok())
    }

    /// Reads what `var` knows; an empty value counts as none.
    ///
    /// # Errors
    /// When the tenant's name is not one.
    pub fn from(var: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let var = |name| var(name).filter(|value| !value.is_empty());
        let tenant = match var(TENANT) {
            Some(name) => Tenant::parse(&name).map_err(EnvError::Tenant)?,
            None => Tenant::default(),
        };
        let secrets_prefix = var(SECRETS_PREFIX).unwrap_or_else(|| "sopwith/".to_owned());
        let (table, events) = (var(TABLE), var(EVENTS_QUEUE_URL));
        let dead = [EVENTS_DEAD_URL, EFFECTS_DEAD_URL, ARRIVALS_DEAD_URL].map(&var);
        let number = |name: &'static str, default: u32| match var(name) {
            Some(text) => text.trim().parse().map_err(|_| EnvError::Number(name)),
            None => Ok(default),
        };
        let mut settings = Settings::default();
        settings.log.kept_days = number(LOG_KEPT_DAYS, settings.log.kept_days)?;
        settings.log.unmatched_per_minute =
            number(LOG_UNMATCHED, settings.log.unmatched_per_minute)?;
        let gateway = &mut settings.gateway;
        for (name, limit) in [
            (WEBHOOK_RATE_LIMIT, &mut gateway.webhook_rate_limit_per_minute),
            (PAIR_RATE_LIMIT, &mut gateway.pair_rate_limit_per_minute),
        ] {
            *limit = number(name, *limit)?;
        }
        gateway.webhook_secret = var(WEBHOOK_SECRET);
        settings.template = var(TEMPLATE);
        let effects = var(EFFECTS_QUEUE_URL);
        let iot_data_endpoint = var(IOT_DATA_ENDPOINT);
        Ok(Self {
            tenant,
            secrets_prefix,
            iot_data_endpoint,
            table,
            events,
            effects,
            dead,
            settings,
        })
    }

    /// The table's name.
    ///
    /// # Errors
    /// When it is not set.
    pub fn table(&self) -> Result<&str, EnvError> {
        self.table.as_deref().ok_or(EnvError::Missing(TABLE))
    }

    /// Both queues, for a function that moves runs.
    ///
    /// # Errors
    /// When one is not set.
    pub fn queues(&self) -> Result<QueueUrls, EnvError> {
        let effects = self.effects.clone().ok_or(EnvError::Missing(EFFECTS_QUEUE_URL))?;
        Ok(QueueUrls { effects, ..self.events_queue()? })
    }

    /// The events queue, for a function that only sends there.
    ///
    /// # Errors
    /// When it is not set.
    pub fn events_queue(&self) -> Result<QueueUrls, EnvError> {
        let events = self.events.clone().ok_or(EnvError::Missing(EVENTS_QUEUE_URL))?;
        let effects = self.effects.clone().unwrap_or_default();
        let [events_dead, effects_dead, arrivals_dead] = self.dead.clone();
        Ok(QueueUrls { events, effects, events_dead, effects_dead, arrivals_dead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Result<Env, EnvError> {
        Env::from(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        let env = env(&[(EVENTS_QUEUE_URL, "https://sqs/events"), (TABLE, "")]).unwrap();
        assert_eq!(env.tenant, Tenant::default());
        assert_eq!(env.events_queue().unwrap().events, "https://sqs/events");
        assert_eq!(env.table().unwrap_err().to_string(), "`SOP_TABLE` is not set");
        assert_eq!(env.queues().unwrap_err().to_string(), "`SOP_EFFECTS_QUEUE_URL` is not set");
    }

    #[test]
    fn the_log_is_kept_as_the_operator_says() {
        let said = env(&[(LOG_KEPT_DAYS, "7"), (LOG_UNMATCHED, "600")]).unwrap().settings.log;
        assert_eq!((said.kept_days, said.unmatched_per_minute), (7, 600));
        assert_eq!(env(&[(LOG_KEPT_DAYS, "")]).unwrap().settings, Settings::default());
        for wrong in ["a week", "-1", "1.5"] {
            assert!(matches!(env(&[(LOG_KEPT_DAYS, wrong)]), Err(EnvError::Number(_))));
        }
    }

    #[test]
    fn limits_are_numbers() {
        let gateway = |vars: &[(&str, &str)]| env(vars).map(|env| env.settings.gateway);
        assert_eq!(gateway(&[]).unwrap(), Settings::default().gateway);
        let set = gateway(&[(WEBHOOK_RATE_LIMIT, "0"), (WEBHOOK_SECRET, "layer")]).unwrap();
        assert_eq!((set.webhook_rate_limit_per_minute, set.pair_rate_limit_per_minute), (0, 10));
        assert_eq!(set.webhook_secret.as_deref(), Some("layer"));
        for wrong in ["many", "-1", "1.5"] {
            let error = gateway(&[(PAIR_RATE_LIMIT, wrong)]).unwrap_err();
            assert_eq!(error.to_string(), "`SOP_PAIR_RATE_LIMIT` is not a whole number");
        }
    }

    #[test]
    fn a_tenant_is_a_name() {
        assert_eq!(env(&[(TENANT, "acme")]).unwrap().tenant.as_str(), "acme");
        assert!(matches!(env(&[(TENANT, "../acme")]), Err(EnvError::Tenant(_))));
    }
}
