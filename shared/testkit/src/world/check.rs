//! What must hold of a world at rest.

use std::collections::{BTreeMap, BTreeSet};

use sop_core::definition::StepKind;
use sop_core::engine::{End, Head, Phase};
use sop_core::id::{EventId, RunId, SopName};
use sop_core::journal::{Verified, verify};
use sop_runtime::flow;
use sop_runtime::port::{Clock, Consumer, Queue, Store};

use crate::patience::Passage;
use crate::world::World;

/// What a world at rest shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its runs.
    pub runs: usize,
    /// Entries in their journals.
    pub entries: u64,
    /// Tries of steps that built-ins carried out.
    pub effects: usize,
    /// Those that were carried out more than once.
    pub repeated: usize,
}

impl<S, Q, C> World<S, Q, C>
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
{
    /// Sees that there is exactly one run for each of `expected`, and no other; that each is completed,
    /// its ledger holds and its head is up to date; that each of its built-ins' steps was carried out;
    /// and that every slot was returned.
    ///
    /// # Panics
    /// When it is otherwise.
    pub async fn check(&self, expected: &BTreeSet<(SopName, EventId)>) -> Verdict {
        let heads = self.heads().await;
        let mut found: BTreeMap<(SopName, EventId), Vec<RunId>> = BTreeMap::new();
        for head in &heads {
            let key = (head.sop.clone(), head.event.clone());
            found.entry(key).or_default().push(head.run.clone());
        }
        for (key, runs) in &found {
            assert_eq!(runs.len(), 1, "runs of {key:?}: {runs:?}");
        }
        let there: BTreeSet<_> = found.into_keys().collect();
        assert_eq!(&there, expected, "one run for each event and SOP");
        let counts = self.performer().counts();
        let mut sops = BTreeMap::new();
        let (mut entries, mut effects) = (0, 0);
        for head in &heads {
            let (verified, performed) = self.check_run(head).await;
            entries += verified.entries;
            effects += performed;
            sops.insert(head.sop.clone(), head.tenant.clone());
        }
        for (sop, tenant) in sops {
            let counters = self.plain().store.counters(&tenant, &sop).await.expect("counted");
            assert_eq!((counters.active, counters.waiting), (0, 0), "slots of {sop}");
        }
        assert_eq!(counts.len(), effects, "nothing was carried out that no run asked for");
        let repeated = counts.values().filter(|count| **count > 1).count();
        Verdict { runs: heads.len(), entries, effects, repeated }
    }

    /// All heads.
    pub async fn heads(&self) -> Vec<Head> {
        let (mut heads, mut after) = (Vec::new(), None);
        loop {
            let page = flow::list_runs(self.plain(), after.as_deref(), 100).await.expect("listed");
            heads.extend(page.heads);
            after = page.next;
            if after.is_none() {
                return heads;
            }
        }
    }

    /// Checks one finished run; its ledger, and how many effects it had.
    async fn check_run(&self, head: &Head) -> (Verified, usize) {
        let run = &head.run;
        let entries = flow::journal(self.plain(), run).await.expect("the journal is read");
        let newest = entries.last().expect("not empty").open().expect("it can be read");
        let definition = &newest.after.identity.definition;
        let sop = self.plain().definition(definition).await.expect("the definition is there");
        let verified = verify(&entries, &sop).expect("the ledger holds");
        let projected = Head::of(&sop, &newest.after, newest.seq, newest.at);
        assert_eq!(*head, projected, "the head is that of the newest entry");
        let is_completed =
            matches!(newest.after.phase, Phase::Finished { end: End::Completed, .. });
        assert!(is_completed, "{run} of {}: {:?}", head.sop, newest.after.phase);
        let counts = self.performer().counts();
        let mut effects = 0;
        for step in &sop.steps {
            let is_effect = step.kind == StepKind::Capability
                && step.capability.as_deref().is_some_and(|capability| capability != "wait");
            if is_effect {
                effects += 1;
                let done = counts.keys().any(|key| key.run == *run && key.step == step.number);
                assert!(done, "step {} of {run} was carried out", step.number);
            }
        }
        (verified, effects)
    }
}
