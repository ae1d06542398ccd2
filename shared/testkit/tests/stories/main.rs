//! Stories of the engine's tables: who waits at which gate, who is admitted, where a run goes on, what
//! follows a failure, who decides; and of traps that must not be there (docs/traps.md).
//!
//! Each table is a folder of SOPs with their stories; `sop test --sops FOLDER --bless` writes the traces.

use std::fs;
use std::path::{Path, PathBuf};

use sop_capability::BuiltIns;
use sop_core::definition::SourceFiles;
use sop_core::id::SopName;
use sop_runtime::port::SystemClock;
use sop_testkit::story::{Cast, Story, play};

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn cast(table: &Path) -> Cast {
    let files = folders(table).into_iter().map(|folder| SourceFiles {
        directory: folder.display().to_string(),
        toml: text(&folder.join("SOP.toml")).expect("a manifest"),
        markdown: text(&folder.join("SOP.md")),
    });
    let workspace = text(&table.join("workspace.toml"));
    Cast { files: files.collect(), workspace: workspace.map(|it| ("workspace.toml".into(), it)) }
}

/// Plays all stories of a table; how many there are.
async fn tell(table: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories").join(table);
    let cast = cast(&root);
    let built_ins = BuiltIns::new(SystemClock);
    let (mut told, mut wrong) = (0, String::new());
    for folder in folders(&root) {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let sop = SopName::parse(&name).expect("a folder has its SOP's name");
        let Ok(entries) = fs::read_dir(folder.join("stories")) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let story = Story::parse(&text(&path).expect("a story"));
            let story = story.unwrap_or_else(|error| panic!("{}:{error}", path.display()));
            told += 1;
            match play(&story, &sop, &cast, &built_ins).await {
                Err(error) => wrong.push_str(&format!("{}: {error}\n", path.display())),
                Ok(played) => {
                    for problem in &played.problems {
                        wrong.push_str(&format!("{}: {problem}\n", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{table}: {told} stories hold");
    told
}

macro_rules! tables {
    ($($table:ident: $least:literal),+ $(,)?) => {$(
        #[tokio::test]
        async fn $table() {
            assert!(tell(stringify!($table)).await >= $least, "stories have gone");
        }
    )+};
}

tables! { gate: 17, admission: 16, routing: 22, failure: 28, approval: 26, traps: 20 }

/// A story tells the same each time it is played, ids and jitter included.
#[tokio::test]
async fn a_story_tells_the_same_each_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/failure");
    let cast = cast(&root);
    let story = "[[input]]\nmanual = true\n[[answer]]\nstep = 1\nfail = \"503\"\ntimes = 3\n";
    let story = Story::parse(story).expect("a story");
    let sop = SopName::parse("retry").expect("a name");
    let built_ins = BuiltIns::new(SystemClock);
    let first = play(&story, &sop, &cast, &built_ins).await.expect("played").trace;
    let second = play(&story, &sop, &cast, &built_ins).await.expect("played").trace;
    assert_eq!(first, second);
    assert!(first.ends_with("completed\n"), "{first}");
}

/// Every story that the table of traps names is there.
#[test]
fn the_table_of_traps_names_stories_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = text(&root.join("../../docs/traps.md")).expect("the table");
    let folders = ["gate/", "admission/", "routing/", "failure/", "approval/", "traps/"];
    let named = table.split('`').skip(1).step_by(2);
    let named = named.filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
    let mut count = 0;
    for name in named {
        assert!(root.join("tests/stories").join(name).join("stories").is_dir(), "{name}");
        count += 1;
    }
    assert!(count > 50, "{count} stories are named");
}
