//! A definition on the first line, an entry's body on each other: opened and verified without panic, first as
//! they are, then with hashes, order and names mended so that the replay itself is reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::definition::Definition;
use sop_core::engine::RunView;
use sop_core::journal::{Entry, Sealed, verify};
use sop_core::{Digest, InputId, RunId};

fuzz_target!(|input: &str| {
    let mut lines = input.lines();
    let definition = lines.next().and_then(|line| serde_json::from_str::<Definition>(line).ok());
    let Some(definition) = definition else { return };
    let run = RunId::parse("01kjm15w00m6x8q8k2v6hqwz3d").expect("a run id");
    let input = InputId::parse("x").expect("an input id");
    let sealed: Vec<Sealed> = (0..)
        .zip(lines)
        .map(|(seq, line)| Sealed {
            run: run.clone(),
            seq,
            input: input.clone(),
            hash: Digest::of(line.as_bytes()),
            body: line.to_owned(),
        })
        .collect();
    let _ = verify(&sealed, &definition);

    let digest = definition.digest();
    let mut mended: Vec<Sealed> = Vec::new();
    for mut entry in sealed.iter().filter_map(|one| one.open().ok()) {
        entry.seq = mended.len() as u64;
        entry.prev = mended.last().map(|last| last.hash);
        entry.after.identity.definition = digest;
        entry.after.identity.id = run.clone();
        let _ = RunView::of(&definition, &entry.after);
        let resealed = entry.seal();
        let opened: Entry = resealed.open().expect("what was sealed opens");
        assert_eq!(opened, entry);
        mended.push(resealed);
        if let Ok(verified) = verify(&mended, &definition) {
            assert_eq!(verified.entries, mended.len() as u64);
        }
    }
});
