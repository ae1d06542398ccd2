//! A directory of SOPs: reads the files, the core does the rest.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sop_core::definition::{self, Definition, Diagnostic, Parsed, Severity, SourceFiles};

/// One folder, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// Name of the folder itself.
    pub(crate) name: String,
    /// Its texts.
    pub(crate) files: SourceFiles,
    /// The definition, unless something about it is an error.
    pub(crate) definition: Option<Definition>,
    /// The name that it gives itself.
    pub(crate) written_name: Option<String>,
    /// What is to be said about it, in the order of the text.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// All folders of a directory, in the order of their names.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The folders.
    pub(crate) folders: Vec<Folder>,
    dir: PathBuf,
}

impl Folder {
    /// What people call it: the name it gives itself, else the folder's.
    pub(crate) fn label(&self) -> &str {
        self.written_name.as_deref().unwrap_or(&self.name)
    }

    /// How many of its diagnostics are of `severity`.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == severity).count()
    }

    /// The text that a diagnostic of this folder points into.
    pub(crate) fn source_of(&self, diagnostic: &Diagnostic) -> &str {
        if diagnostic.file.ends_with("SOP.md") {
            self.files.markdown.as_deref().unwrap_or_default()
        } else {
            &self.files.toml
        }
    }

    /// Whether `name` means this folder.
    fn is_called(&self, name: &str) -> bool {
        self.written_name.as_deref() == Some(name) || self.name == name
    }
}

impl Workspace {
    /// Reads and checks every folder of `dir`; `dir` may be one such folder itself.
    ///
    /// # Errors
    /// When there is no such directory, or a file in it cannot be read or is not UTF-8.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let mut read: Vec<(String, SourceFiles)> = Vec::new();
        if let Some(files) = files(dir)? {
            read.push((folder_name(dir), files));
        } else {
            for path in folders(dir)? {
                if let Some(files) = files(&path)? {
                    read.push((folder_name(&path), files));
                }
            }
        }
        let parsed: Vec<Parsed> = read.iter().map(|(_, files)| definition::parse(files)).collect();
        let shared = definition::check_workspace(&parsed);
        let folders = read
            .into_iter()
            .zip(parsed)
            .map(|((name, files), parsed)| assemble(name, files, parsed, &shared))
            .collect();
        Ok(Self { folders, dir: dir.to_owned() })
    }

    /// The folder called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(&self, name: &str) -> Result<&Folder> {
        let by_name =
            self.folders.iter().find(|folder| folder.written_name.as_deref() == Some(name));
        if let Some(folder) = by_name.or_else(|| self.folders.iter().find(|f| f.is_called(name))) {
            return Ok(folder);
        }
        let names: Vec<&str> = self.folders.iter().map(Folder::label).collect();
        let there_is = match names.as_slice() {
            [] => "it has none yet; `sop new NAME` writes one".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        bail!("no SOP is called `{name}` in `{}`: {there_is}", self.dir.display())
    }

    /// Only the folders called one of `names`; all of them when there are no names.
    ///
    /// # Errors
    /// When one of the names is nobody's.
    pub(crate) fn only(mut self, names: &[String]) -> Result<Self> {
        for name in names {
            self.find(name)?;
        }
        if !names.is_empty() {
            self.folders.retain(|folder| names.iter().any(|name| folder.is_called(name)));
        }
        Ok(self)
    }

    /// How many diagnostics are of `severity`.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.folders.iter().map(|folder| folder.count(severity)).sum()
    }
}

fn assemble(name: String, files: SourceFiles, parsed: Parsed, shared: &[Diagnostic]) -> Folder {
    let Parsed { definition, mut diagnostics, name: written } = parsed;
    let written_name = written.map(|written| written.name);
    let manifest = Path::new(&files.directory).join("SOP.toml");
    let own = shared.iter().filter(|found| Path::new(&found.file) == manifest);
    diagnostics.extend(own.cloned());
    let is_broken = diagnostics.iter().any(|found| found.severity == Severity::Error);
    Folder { name, files, definition: definition.filter(|_| !is_broken), written_name, diagnostics }
}

fn folder_name(path: &Path) -> String {
    let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    absolute.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folders of `dir`, hidden ones left out, in the order of their names.
pub(crate) fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no directory `{}`: write a first SOP with `sop new NAME`, or say where they are with `--sops DIR`",
            dir.display()
        ),
        Err(error) => {
            return Err(error).with_context(|| format!("could not read `{}`", dir.display()));
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("could not read `{}`", dir.display()))?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && entry.path().is_dir() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The two texts of a folder; `None` when it has neither.
fn files(dir: &Path) -> Result<Option<SourceFiles>> {
    let toml = text(&dir.join("SOP.toml"))?;
    let markdown = text(&dir.join("SOP.md"))?;
    if toml.is_none() && markdown.is_none() {
        return Ok(None);
    }
    let directory = dir.to_string_lossy();
    let directory = directory.strip_prefix("./").unwrap_or(&directory).to_owned();
    Ok(Some(SourceFiles { directory, toml: toml.unwrap_or_default(), markdown }))
}

fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("could not read `{}`", path.display())),
    }
}
