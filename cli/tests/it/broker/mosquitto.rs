//! Eclipse Mosquitto, which keeps its sessions on the disk.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::wait;

pub(crate) struct Mosquitto {
    folder: PathBuf,
    pub(crate) port: u16,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Mosquitto {
    pub(crate) fn start(folder: &Path, port: u16) -> Self {
        Self::with(folder, port, "")
    }

    /// With a certificate for `localhost` of an authority that nobody knows; with `asks`, clients need one of it too.
    pub(crate) fn start_tls(folder: &Path, port: u16, asks: bool) -> Self {
        let at = folder.join(format!("mosquitto-{port}"));
        std::fs::create_dir_all(&at).expect("a folder");
        let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -subj /CN=test -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE && \
             openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
             -keyout key.pem -out request.pem && \
             printf 'subjectAltName=DNS:localhost' > names && \
             openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out cert.pem";
        let made = Command::new("sh").args(["-c", script]).current_dir(&at).output();
        let made = made.expect("sh runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let file = |name: &str| at.join(name).display().to_string();
        let mut tls = format!("certfile {}\nkeyfile {}\n", file("cert.pem"), file("key.pem"));
        if asks {
            tls += &format!("cafile {}\nrequire_certificate true\n", file("ca.pem"));
        }
        Self::with(folder, port, &tls)
    }

    fn with(folder: &Path, port: u16, more: &str) -> Self {
        let folder = folder.join(format!("mosquitto-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let config = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nmax_queued_messages 0\nlog_type all\n{more}",
            folder.display()
        );
        std::fs::write(folder.join("mosquitto.conf"), config).expect("a file");
        let log = Arc::default();
        let child = run(&folder, &log);
        let broker = Self { folder, port, child, log };
        broker.wait_until_up();
        broker
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The path of a file of its own.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Waits until somebody has subscribed.
    pub(crate) fn wait_for_subscriber(&self) {
        wait("a subscription", || self.has_logged("Sending SUBACK"));
    }

    /// Ends it in order, as an upgrade does, and starts it again.
    pub(crate) fn restart(&mut self) {
        let pid = self.child.id().to_string();
        let ended = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(ended.expect("kill runs").success());
        self.child.wait().expect("it has ended");
        self.log.lock().expect("nobody panicked").clear();
        self.child = run(&self.folder, &self.log);
        self.wait_until_up();
    }

    fn wait_until_up(&self) {
        wait("mosquitto", || self.has_logged(" running"));
    }

    fn has_logged(&self, words: &str) -> bool {
        let log = self.log.lock().expect("nobody panicked");
        log.iter().any(|line| line.contains(words))
    }
}

fn run(folder: &Path, log: &Arc<Mutex<Vec<String>>>) -> Child {
    // Debian has it where only root looks.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let config = folder.join("mosquitto.conf");
    let mut child = Command::new("env")
        .arg(format!("PATH={path}"))
        .args(["mosquitto", "-v", "-c"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("env runs");
    let stderr = child.stderr.take().expect("stderr is piped");
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            log.lock().expect("nobody panicked").push(line);
        }
    });
    child
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
