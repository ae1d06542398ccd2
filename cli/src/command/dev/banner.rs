//! What `sop dev` prints when it is ready: where it listens, and what to try next.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

/// Where everything is.
#[derive(Debug)]
pub(super) struct Ends {
    /// Webhooks and API.
    pub(super) http: SocketAddr,
    /// MQTT.
    pub(super) mqtt: SocketAddr,
    /// `mqtt` or `mqtts`.
    pub(super) mqtt_scheme: &'static str,
    /// The data.
    pub(super) data: PathBuf,
    /// The SOPs.
    pub(super) sops: PathBuf,
    /// The open pairing code.
    pub(super) code: String,
    /// The file with this user's token.
    pub(super) token_file: PathBuf,
}

/// Prints where everything is: one line of JSON for programs, else a page for people.
pub(super) fn print(ends: &Ends, names: &[String], json: bool) {
    let text = if json { line(ends, names) } else { page(ends, names) };
    // Nobody reads it: the server runs all the same.
    drop(writeln!(std::io::stdout().lock(), "{text}").and_then(|()| std::io::stdout().flush()));
}

fn line(ends: &Ends, names: &[String]) -> String {
    json!({
        "url": format!("http://{}", ends.http),
        "mqtt": format!("{}://{}", ends.mqtt_scheme, ends.mqtt),
        "pairing_code": ends.code,
        "token_file": ends.token_file,
        "data": ends.data,
        "sops": names,
        "version": env!("CARGO_PKG_VERSION"),
    })
    .to_string()
}

fn page(ends: &Ends, names: &[String]) -> String {
    let (http, mqtt, code) = (ends.http, ends.mqtt, &ends.code);
    let (scheme, mqtt_port) = (ends.mqtt_scheme, mqtt.port());
    let mqtt_host = mqtt.ip();
    let sops = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
    let sop = program();
    let url = if http.port() == 3000 { String::new() } else { format!("SOP_URL=http://{http} ") };
    format!(
        "\
Sopwith {version} is ready.

  webhooks, API  http://{http}
  MQTT           {scheme}://{mqtt}
  data           {data}
  SOPs           {folder} ({sops}), reloaded when they change
  pairing code   {code}   (once, within 10 minutes)

Try:

  # a caller pairs once, and then starts a procedure
  TOKEN=$(curl -s -X POST http://{http}/pair -H 'X-Pairing-Code: {code}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')
  curl -X POST http://{http}/sop/deploy \\
    -H \"Authorization: Bearer $TOKEN\" \\
    -H \"X-Idempotency-Key: $(uuidgen)\" \\
    -H 'Content-Type: application/json' \\
    -d '{{\"message\":\"deploy-service-a\"}}'

  # a device raises an alert
  mosquitto_pub -h {mqtt_host} -p {mqtt_port} -q 1 -t sensors/alert -m '{{\"severity\":3}}'

  # you look, approve, and prove what happened
  {url}{sop} runs
  {url}{sop} status last
  {url}{sop} approve last
  {url}{sop} events
  {url}{sop} audit verify last
",
        version = env!("CARGO_PKG_VERSION"),
        data = ends.data.display(),
        folder = ends.sops.display(),
    )
}

/// What a person types to call this program: its name when it is on the path, else where it is.
fn program() -> String {
    let name = "sop";
    let on_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    if on_path {
        return name.to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    match std::env::current_exe() {
        Ok(path) => path.strip_prefix(&here).unwrap_or(&path).display().to_string(),
        Err(_) => name.to_owned(),
    }
}
