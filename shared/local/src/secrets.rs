//! Secrets of one machine: a file that nobody else can read, then the environment.
//!
//! The file has a secret a line, `name=value`; blank lines and those that begin with `#` say nothing. The
//! value is the rest of the line as it stands, without the blanks around it; there are no quotes and no
//! escapes. A secret with several lines goes into the environment: `SOP_SECRET_API_KEY` is `api-key` (and
//! `API_KEY`). The file is read each time, so a secret that was changed counts at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sop_runtime::port::{PortError, Secrets};

/// What a secret's variable begins with.
pub const VARIABLE_PREFIX: &str = "SOP_SECRET_";

/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

const ACTION: &str = "read the secrets";

/// The secrets of this machine.
pub struct LocalSecrets {
    file: Option<PathBuf>,
    variables: BTreeMap<String, String>,
}

/// Shows no secret.
impl std::fmt::Debug for LocalSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalSecrets").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why the file is not read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFileError {
    /// It is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read or write it.
    #[error("`{}` is open to others (mode {mode:03o}): `chmod 600` it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not as it should be.
    #[error("`{}` line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, without what stands there.
        problem: &'static str,
    },
}

impl LocalSecrets {
    /// The secrets in `file`, which may be missing, and in those of `variables` that begin with
    /// [`VARIABLE_PREFIX`].
    pub fn new(
        file: Option<PathBuf>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .filter_map(|(name, text)| Some((name.strip_prefix(VARIABLE_PREFIX)?.to_owned(), text)))
            .collect();
        Self { file, variables }
    }

    /// Reads the file, to tell early of what is wrong with it. A file that is missing is none.
    ///
    /// # Errors
    /// When it is open to others, cannot be read, or has a line that is no secret.
    pub fn check(&self) -> Result<(), SecretsFileError> {
        self.file.as_deref().map_or(Ok(()), |path| read(path).map(drop))
    }
}

impl Secrets for LocalSecrets {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        let in_file = match self.file.as_deref().map(read) {
            // Some microseconds for a small file, and rarely: not worth another thread.
            Some(read) => read.map_err(|error| PortError::permanent(ACTION, error))?.remove(name),
            None => None,
        };
        Ok(in_file.or_else(|| self.variables.get(&variable(name)).cloned()))
    }
}

/// What follows [`VARIABLE_PREFIX`] for the secret of this name.
fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, SecretsFileError> {
    let failed = |source| SecretsFileError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error)),
    };
    // Asked of the open file: the path may lead elsewhere a moment later.
    let mode = mode(&file.metadata().map_err(failed)?);
    if mode & 0o077 != 0 {
        return Err(SecretsFileError::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let mut secrets = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let wrong =
            |problem| SecretsFileError::Line { path: path.to_owned(), line: number, problem };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("not `name=value`"))?;
        let name = name.trim_end();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !is_name {
            return Err(wrong("a name has letters, digits, `_` and `-`, a letter first"));
        }
        if secrets.insert(name.to_owned(), value.trim_start().to_owned()).is_some() {
            return Err(wrong("the name is there twice"));
        }
    }
    Ok(secrets)
}

#[cfg(unix)]
fn mode(of: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    of.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_of: &std::fs::Metadata) -> u32 {
    0o600
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    fn variables() -> Vec<(String, String)> {
        [("SOP_SECRET_API_KEY", "from env"), ("SOP_SECRET_BOTH", "env"), ("HOME", "/root")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec()
    }

    #[tokio::test]
    async fn the_file_counts_before_the_environment() {
        let text = "# keys\n\nboth = file \r\nurl=https://a/?b=c\nempty=\n";
        let (_directory, path) = file(text, 0o600);
        let secrets = LocalSecrets::new(Some(path), variables());
        for (name, expected) in [
            ("both", Some("file")),
            ("url", Some("https://a/?b=c")),
            ("empty", Some("")),
            ("api-key", Some("from env")),
            ("API_KEY", Some("from env")),
            ("Url", None),
            ("HOME", None),
            ("../secrets", None),
        ] {
            assert_eq!(secrets.secret(name).await.unwrap().as_deref(), expected, "{name}");
        }
        assert!(!format!("{secrets:?}").contains("env"));
        let absent = LocalSecrets::new(Some("/nowhere/secrets".into()), variables());
        assert_eq!(absent.secret("both").await.unwrap().as_deref(), Some("env"));
        absent.check().unwrap();
    }

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o660, 0o602] {
            let (_directory, path) = file("a=S3CRET", mode);
            let secrets = LocalSecrets::new(Some(path), variables());
            let error = secrets.check().unwrap_err().to_string();
            assert!(error.contains(&format!("(mode {mode:03o}): `chmod 600` it")), "{error}");
            let error = secrets.secret("a").await.unwrap_err();
            assert!(!error.retryable);
        }
    }

    #[tokio::test]
    async fn what_is_no_secret_is_told_by_its_line_alone() {
        for (text, line) in
            [("S3CRET", 1), ("a=1\n1b=S3CRET", 2), ("a=1\n#\na=S3CRET", 3), ("=S3CRET", 1)]
        {
            let (_directory, path) = file(text, 0o600);
            let error = LocalSecrets::new(Some(path), []).check().unwrap_err();
            let told = error.to_string();
            assert!(told.contains(&format!("line {line}: ")) && !told.contains("S3CRET"), "{told}");
        }
        let (_directory, path) = file("", 0o600);
        fs::write(&path, b"a=\xff").unwrap();
        assert!(matches!(
            LocalSecrets::new(Some(path), []).check(),
            Err(SecretsFileError::Read { .. })
        ));
    }
}
