//! `config.toml`: what the operator of one machine decides, for `sop dev --config`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use sop_local::broker;
use sop_local::mqtt::{Credentials, MqttServer, Tls};
use sop_runtime::flow::Settings;
use sop_runtime::port::Secrets;

/// The whole file. An empty one decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    gateway: Gateway,
    log: Log,
    channels_config: Channels,
    mqtt: Server,
}

/// `[mqtt]`: our own server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Server {
    /// Names of users, each with the name of the secret that is the password.
    users: BTreeMap<String, String>,
    anonymous: Option<bool>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// `[channels_config]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Channels {
    mqtt: Option<Broker>,
}

/// `[channels_config.mqtt]`
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broker {
    broker_url: String,
    client_id: String,
    #[serde(default)]
    topics: Vec<String>,
    qos: Option<u8>,
    username: Option<String>,
    password: Option<String>,
    use_tls: Option<bool>,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// Shows no password.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("broker_url", &self.broker_url).finish_non_exhaustive()
    }
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

    /// Sets our own MQTT server up, which listens at `address`.
    ///
    /// # Errors
    /// When a password is no secret of this host, certificate and key cannot be used, or the server could
    /// be reached from elsewhere by anybody without the file saying that this is meant.
    pub(crate) async fn set_up<S: Secrets>(
        &self,
        server: MqttServer,
        address: IpAddr,
        secrets: &S,
    ) -> Result<MqttServer> {
        let said = &self.mqtt;
        if said.users.is_empty() && said.anonymous != Some(true) && !address.is_loopback() {
            bail!(
                "MQTT on {address} would let any client in: name users in `[mqtt.users]` of the file \
                 given by `--config`, or write `anonymous = true` in `[mqtt]`"
            );
        }
        ensure!(
            !said.users.is_empty() || said.anonymous != Some(false),
            "`anonymous = false` in `[mqtt]` keeps everybody out: name users in `[mqtt.users]`"
        );
        let mut users = Vec::new();
        for (user, secret) in &said.users {
            let password = secrets.secret(secret).await.context("could not read the secrets")?;
            let missing = || {
                format!(
                    "MQTT user `{user}` has the secret `{secret}` for a password, which is none: add it to \
                     the file `secrets` in the data's folder"
                )
            };
            users.push(Credentials::new(user, password.with_context(missing)?));
        }
        let server = server.with_users(users, said.anonymous.unwrap_or(false));
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("could not read `{}`", path.display()))
        };
        match (&said.cert_file, &said.key_file) {
            (None, None) => Ok(server),
            (Some(certificate), Some(key)) => {
                let tls = Tls::from_pem(&read(certificate)?, &read(key)?);
                Ok(server.with_tls(tls.context("`[mqtt]` cannot be used")?))
            }
            (Some(_), None) | (None, Some(_)) => {
                bail!("`cert_file` and `key_file` of `[mqtt]` go together: write both")
            }
        }
    }

    /// Whether our own MQTT server speaks TLS.
    pub(crate) const fn is_mqtt_tls(&self) -> bool {
        self.mqtt.cert_file.is_some()
    }

    /// The MQTT broker elsewhere, checked; none when the file names none.
    ///
    /// # Errors
    /// When something about it cannot be, with what to write instead, or a file of it cannot be read.
    pub(crate) fn broker(&self) -> Result<Option<broker::Settings>> {
        let Some(said) = self.channels_config.mqtt.clone() else { return Ok(None) };
        let read = |key: &str, path: Option<PathBuf>| {
            let what = |path: &Path| format!("could not read `{key}`, `{}`", path.display());
            path.map(|path| std::fs::read(&path).with_context(|| what(&path))).transpose()
        };
        let said = broker::Said {
            broker_url: said.broker_url,
            client_id: said.client_id,
            topics: said.topics,
            qos: said.qos,
            username: said.username,
            password: said.password,
            use_tls: said.use_tls,
            ca_pem: read("ca_file", said.ca_file)?,
            cert_pem: read("cert_file", said.cert_file)?,
            key_pem: read("key_file", said.key_file)?,
        };
        let checked = broker::Settings::check(said);
        Ok(Some(checked.context("`[channels_config.mqtt]` cannot be used")?))
    }

    /// The settings of the host's doors: what the file says, else the defaults.
    pub(crate) fn settings(&self) -> Settings {
        fn set<T: Clone>(place: &mut T, said: Option<&T>) {
            if let Some(said) = said {
                place.clone_from(said);
            }
        }
        let mut settings = Settings::default();
        let (gateway, said) = (&mut settings.gateway, &self.gateway);
        set(&mut gateway.require_pairing, said.require_pairing.as_ref());
        let limit = &mut gateway.webhook_rate_limit_per_minute;
        set(limit, said.webhook_rate_limit_per_minute.as_ref());
        set(&mut gateway.pair_rate_limit_per_minute, said.pair_rate_limit_per_minute.as_ref());
        gateway.webhook_secret.clone_from(&said.webhook_secret);
        set(&mut gateway.trust_forwarded_for, said.trust_forwarded_for.as_ref());
        let (log, said) = (&mut settings.log, &self.log);
        set(&mut log.kept_days, said.kept_days.as_ref());
        set(&mut log.unmatched_per_minute, said.unmatched_per_minute.as_ref());
        settings
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

    /// Source: seed 002, section 2.1.
    const SEED: &str = r#"
[channels_config.mqtt]
broker_url = "mqtts://broker.example.com:8883"  # use mqtt:// for plaintext
client_id = "zeroclaw-agent-1"
topics = ["sensors/alert", "ops/deploy/#"]
qos = 1
username = "mqtt-user"      # optional
password = "mqtt-password"  # optional
use_tls = true              # must match scheme (mqtts:// => true)
"#;

    #[test]
    fn the_seeds_broker_is_taken_as_it_is() {
        let config: Config = toml::from_str(SEED).unwrap();
        let broker = config.broker().unwrap().unwrap();
        assert_eq!(broker.address(), "mqtts://broker.example.com:8883");
        assert!(!format!("{config:?} {broker:?}").contains("mqtt-password"));
        assert!(Config::default().broker().unwrap().is_none());
    }

    #[test]
    fn scheme_and_flag_go_in_pairs() {
        for (url, use_tls, is_pair) in [
            ("mqtt://b", "false", true),
            ("mqtts://b", "true", true),
            ("mqtt://b", "true", false),
            ("mqtts://b", "false", false),
        ] {
            let text = format!(
                "[channels_config.mqtt]\nbroker_url = \"{url}\"\nclient_id = \"c\"\nuse_tls = {use_tls}\n"
            );
            let broker = toml::from_str::<Config>(&text).unwrap().broker();
            assert_eq!(broker.is_ok(), is_pair, "{text}");
            if let Err(error) = broker {
                assert!(
                    format!("{error:#}").contains("do not agree: write `use_tls = "),
                    "{error:#}"
                );
            }
        }
    }
}
