//! `sop dev`: everything on one machine, in one process.
//!
//! HTTP and MQTT doors, the tick, the dispatcher and the executor over one SQLite file, with the SOPs
//! of a folder pushed again whenever they change. The same flows as on AWS, in the same order.

mod banner;
mod doors;
mod metrics;
mod outlets;
mod reload;
mod serve;

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sop_capability::BuiltIns;
use sop_local::LocalSecrets;
use sop_local::mqtt::MqttServer;
use sop_local::store::Sqlite;
use sop_local::worker::{self, LocalHost};
use sop_runtime::flow::{self, Host};
use sop_runtime::port::{QueueName, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::context::Context;
use crate::exit::Exit;
use outlets::LocalOutlets;

/// What `sop dev` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the SOPs
    #[arg(long, env = "SOP_DIR", default_value = "sops")]
    sops: PathBuf,
    /// Folder of the data: the database, this user's token, and the file `secrets`
    #[arg(long, default_value = ".sop")]
    data: PathBuf,
    /// Settings of this host: doors, limits, an MQTT broker elsewhere
    #[arg(long, env = "SOP_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port of webhooks and API; 0 takes any that is free
    #[arg(long, env = "SOP_PORT", default_value_t = 3000)]
    port: u16,
    /// Port of MQTT; 0 takes any that is free
    #[arg(long, env = "SOP_MQTT_PORT", default_value_t = 1883)]
    mqtt_port: u16,
    /// What to log: error, warn, info or debug
    #[arg(long, env = "SOP_LOG", default_value = "warn")]
    log: tracing::Level,
}

/// A host on this machine.
type Local = LocalHost<SystemClock>;

/// The built-ins on this machine.
type Performer = BuiltIns<SystemClock, Arc<LocalSecrets>, LocalOutlets>;

/// Milliseconds that work in hand is given when the process is asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Runs until the process is asked to stop.
///
/// # Errors
/// When a port is taken, the data cannot be opened, or the SOPs' folder cannot be read.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit> {
    let json = context.is_json();
    start_log(args.log, json);
    serve(args, json).await?;
    Ok(Exit::Ok)
}

fn start_log(level: tracing::Level, json: bool) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    if json || !std::io::stderr().is_terminal() {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_target(false).init();
    }
}

async fn serve(args: &Args, json: bool) -> Result<()> {
    let config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let counted = metrics::start()?;
    let http = listen(args.host, args.port, "--port").await?;
    let broker = config.broker()?;
    let mqtt = MqttServer::bind(SocketAddr::new(args.host, args.mqtt_port))
        .await
        .with_context(|| taken(args.host, args.mqtt_port, "--mqtt-port"))?;
    std::fs::create_dir_all(&args.data)
        .with_context(|| format!("could not make the folder `{}`", args.data.display()))?;
    let store = Sqlite::open(args.data.join("sop.db"), Arc::new(SystemClock))
        .with_context(|| format!("could not open the data in `{}`", args.data.display()))?;
    let mqtt = mqtt.with_sessions(store.clone()).context("could not take up MQTT sessions")?;
    let host = Host::new(store.clone(), store, SystemClock);
    let host: Arc<Local> = Arc::new(Host { settings: config.settings(), ..host });
    let variables = std::env::vars_os()
        .filter_map(|(name, text)| name.into_string().ok().zip(text.into_string().ok()));
    let secrets = LocalSecrets::new(Some(args.data.join("secrets")), variables);
    secrets.check().context("could not read the secrets")?;
    let mqtt = config.set_up(mqtt, args.host, &secrets).await?;
    let secrets = Arc::new(secrets);
    let built_ins = BuiltIns::new(SystemClock).with_secrets(Arc::clone(&secrets));
    let outlets = LocalOutlets::new(Arc::clone(&host), mqtt.publisher());
    let built_ins = Arc::new(built_ins.with_outlets(outlets));
    let token = own_token(&host, &args.data).await?;
    let loaded = reload::once(&host, &args.sops, &reload::Loaded::default()).await?;
    let code = flow::new_code(&host).await.context("could not make a pairing code")?;

    let (stop, stopped) = watch::channel(false);
    let ends = banner::Ends {
        http: http.local_addr().context("could not tell the port")?,
        mqtt: mqtt.local_addr().context("could not tell the MQTT port")?,
        mqtt_scheme: if config.is_mqtt_tls() { "mqtts" } else { "mqtt" },
        data: args.data.clone(),
        sops: args.sops.clone(),
        code,
        token_file: token,
    };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(doors::http(http, Arc::clone(&host), secrets, counted, stopped.clone()));
    tasks.spawn(doors::mqtt(mqtt, Arc::clone(&host), stopped.clone()));
    if let Some(broker) = broker {
        tasks.spawn(doors::broker(broker, Arc::clone(&host), stopped.clone()));
    }
    tasks.spawn(worker::keep_time(Arc::clone(&host), stopped.clone()));
    let names = loaded.names.clone();
    tasks.spawn(reload::watch(Arc::clone(&host), args.sops.clone(), loaded, stopped.clone()));
    spawn_workers(&mut tasks, &host, built_ins, &stopped);
    banner::print(&ends, &names, json);

    asked_to_stop().await;
    // Whoever listens has stopped listening already when there is none left to tell.
    stop.send_replace(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some work was still in hand; it is done again at the next start");
    }
    Ok(())
}

fn spawn_workers(
    tasks: &mut tokio::task::JoinSet<()>,
    host: &Arc<Local>,
    built_ins: Arc<Performer>,
    stopped: &watch::Receiver<bool>,
) {
    let dispatch = {
        let host = Arc::clone(host);
        move |body: String| {
            let host = Arc::clone(&host);
            async move { flow::dispatch(&host, &body).await }
        }
    };
    let execute = {
        let host = Arc::clone(host);
        move |body: String| {
            let (host, built_ins) = (Arc::clone(&host), Arc::clone(&built_ins));
            async move { flow::execute(&host, (&*built_ins, &*built_ins), &body).await }
        }
    };
    let store = host.store.clone();
    tasks.spawn(worker::work(store.clone(), QueueName::Events, dispatch, stopped.clone()));
    tasks.spawn(worker::work(store, QueueName::Effects, execute, stopped.clone()));
}

fn taken(host: IpAddr, port: u16, flag: &str) -> String {
    format!("could not listen on {host}:{port}; choose another with `{flag}`")
}

async fn listen(host: IpAddr, port: u16, flag: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).await.with_context(|| taken(host, port, flag))
}

/// The file with a token for whoever may read this folder, made at the first start.
async fn own_token(host: &Local, data: &Path) -> Result<PathBuf> {
    let path = data.join("token");
    if let Ok(token) = std::fs::read_to_string(&path)
        && flow::authenticate(host, token.trim()).await.context("could not read tokens")?.is_some()
    {
        return Ok(path);
    }
    let (token, _) = flow::issue_token(host, "local").await.context("could not issue a token")?;
    write_private(&path, &token)
        .with_context(|| format!("could not write the token to `{}`", path.display()))?;
    Ok(path)
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
