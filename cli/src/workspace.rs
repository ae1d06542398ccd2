//! A directory of SOPs: reads the files, the core does the rest.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sop_core::definition::{self, Definition, Diagnostic, Parsed, Severity, SourceFiles};

/// The file that holds what all folders beside it share.
pub(crate) const SHARED_FILE: &str = "workspace.toml";

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
    /// What they share.
    pub(crate) shared: Option<Shared>,
    dir: PathBuf,
}

/// `workspace.toml`, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Its path, for display.
    pub(crate) file: String,
    /// Its text.
    pub(crate) toml: String,
    /// What is to be said about it, in the order of the text.
    pub(crate) diagnostics: Vec<Diagnostic>,
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
        let mut shared_in = dir.to_owned();
        if let Some(files) = files(dir)? {
            read.push((folder_name(dir), files));
            shared_in.push("..");
        } else {
            for path in folders(dir)? {
                if let Some(files) = files(&path)? {
                    read.push((folder_name(&path), files));
                }
            }
        }
        let path = shared_in.join(SHARED_FILE);
        let (rules, shared) = match text(&path)? {
            Some(toml) => {
                let file = shown(&path);
                let (rules, diagnostics) = definition::Workspace::parse(&toml, &file);
                (rules, Some(Shared { file, toml, diagnostics }))
            }
            None => (definition::Workspace::default(), None),
        };
        let parsed: Vec<Parsed> =
            read.iter().map(|(_, files)| definition::parse(files, &rules)).collect();
        let among = definition::check_workspace(&parsed);
        let folders = read
            .into_iter()
            .zip(parsed)
            .map(|((name, files), parsed)| assemble(name, files, parsed, &among))
            .collect();
        Ok(Self { folders, shared, dir: dir.to_owned() })
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
        self.diagnostics().filter(|found| found.severity == severity).count()
    }

    /// What is to be said, first about what the folders share.
    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let shared = self.shared.iter().flat_map(|shared| &shared.diagnostics);
        shared.chain(self.folders.iter().flat_map(|folder| &folder.diagnostics))
    }

    /// Whether what the folders share has an error, so that none of them can be used.
    pub(crate) fn is_broken(&self) -> bool {
        let found = self.shared.iter().flat_map(|shared| &shared.diagnostics);
        found.into_iter().any(|found| found.severity == Severity::Error)
    }
}

fn assemble(name: String, files: SourceFiles, parsed: Parsed, shared: &[Diagnostic]) -> Folder {
    let Parsed { definition, mut diagnostics, name: written } = parsed;
    let written_name = written.map(|written| written.name);
    let manifest = Path::new(&files.directory).join("SOP.toml");
    let own = shared.iter().filter(|found| Path::new(&found.file) == manifest);
    diagnostics.extend(own.cloned());
    if definition.is_some() {
        diagnostics.extend(definition::check_schemas(&files, sop_schema::problem));
    }
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
    let directory = shown(dir);
    Ok(Some(SourceFiles { directory, toml: toml.unwrap_or_default(), markdown }))
}

/// A path as it is displayed.
pub(crate) fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.strip_prefix("./").unwrap_or(&path).to_owned()
}

/// The text of a file; `None` when there is none.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("could not read `{}`", path.display())),
    }
}
