//! `config.toml`: what the operator of one machine decides, for `sop dev --config`.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sop_runtime::flow::Settings;
use sop_runtime::flow::settings;

/// The whole file. An empty one decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    gateway: Gateway,
    log: Log,
}

/// `[gateway]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Gateway {
    require_pairing: Option<bool>,
    webhook_rate_limit_per_minute: Option<u32>,
    pair_rate_limit_per_minute: Option<u32>,
    webhook_secret: Option<String>,
    trust_forwarded_for: Option<bool>,
}

/// `[log]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    kept_days: Option<u32>,
    unmatched_per_minute: Option<u32>,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or has a key that nothing reads.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("could not read `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}` cannot be used", path.display()))
    }

    /// The settings of the host's doors: what the file says, else the defaults.
    pub(crate) fn settings(&self) -> Settings {
        let Settings { gateway, log } = Settings::default();
        let said = (&self.gateway, &self.log);
        Settings {
            gateway: settings::Gateway {
                require_pairing: said.0.require_pairing.unwrap_or(gateway.require_pairing),
                webhook_rate_limit_per_minute: said
                    .0
                    .webhook_rate_limit_per_minute
                    .unwrap_or(gateway.webhook_rate_limit_per_minute),
                pair_rate_limit_per_minute: said
                    .0
                    .pair_rate_limit_per_minute
                    .unwrap_or(gateway.pair_rate_limit_per_minute),
                webhook_secret: said.0.webhook_secret.clone().or(gateway.webhook_secret),
                trust_forwarded_for: said
                    .0
                    .trust_forwarded_for
                    .unwrap_or(gateway.trust_forwarded_for),
            },
            log: settings::Log {
                kept_days: said.1.kept_days.unwrap_or(log.kept_days),
                unmatched_per_minute: said
                    .1
                    .unmatched_per_minute
                    .unwrap_or(log.unmatched_per_minute),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_default() {
        let config: Config =
            toml::from_str("[gateway]\nwebhook_rate_limit_per_minute = 5\n").unwrap();
        let settings = config.settings();
        assert_eq!(settings.gateway.webhook_rate_limit_per_minute, 5);
        assert!(settings.gateway.require_pairing);
        assert_eq!(Config::default().settings(), Settings::default());
        assert!(toml::from_str::<Config>("[gateway]\nrate = 5\n").is_err());
    }
}
