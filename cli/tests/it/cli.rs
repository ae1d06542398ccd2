//! Runs the binary in a directory of its own, without anything of this machine's settings.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with what a user would have in it.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// All of it, for a snapshot, without digests: they change with the format of definitions.
    pub(crate) fn all(&self) -> String {
        let all = format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err);
        let is_hex = |word: &str| word.bytes().all(|b| b.is_ascii_hexdigit());
        let shown = all.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            match word.len() {
                64 if is_hex(word) => piece.replace(word, "<digest>"),
                16 if is_hex(word) => piece.replace(word, "<hash>"),
                _ => piece.to_owned(),
            }
        });
        shown.collect()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes `sops/<name>`, started by the TOML of `triggers`.
    pub(crate) fn sop(&self, name: &str, triggers: &str) {
        let toml = format!(
            "[sop]\nname = \"{name}\"\ndescription = \"d\"\nversion = \"1.0.0\"\n\n{triggers}"
        );
        self.write(&format!("sops/{name}/SOP.toml"), &toml);
        self.write(
            &format!("sops/{name}/SOP.md"),
            "## Steps\n\n1. **Look** — Closely.\n\n2. **Act** — At once.\n",
        );
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sop"));
        command
            .args(args)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env_remove("SOP_URL")
            .env_remove("SOP_TOKEN")
            .env_remove("SOP_DIR")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn sop_cli(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }
}

pub(crate) fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}
