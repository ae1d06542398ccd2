//! How a run moves: a pure function of the definition, the run, an input and the time.
//!
//! [`start`] and [`decide()`] say what happened (a [`Fact`]) or why nothing may ([`Refusal`]), or which
//! values that depends on ([`Need`]); [`replay`] works the run after an entry out again. [`outstanding`] says, from the state alone, what is
//! to be done outside; [`Head::of`] what lists show of it; [`slot_change`] what it means for the SOP's
//! admission counter. Nothing here reads a clock: `now` comes in, `wake_at` goes out.

mod admission;
mod ask;
mod decide;
mod effect;
mod evolve;
mod fact;
mod head;
mod input;
mod state;
mod view;

pub use admission::{Admission, Counters, SlotChange, decide_admission, slot_change};
pub use ask::{Blob, Need, Values, prompt, value_of_text};
pub use decide::{
    Beginning, Cause, Decided, Given, Refusal, Transition, decide, open_gate, replay, start,
};
pub use effect::{Effect, EffectKey, Gets, gets, newly_outstanding, outstanding, result_of};
pub use evolve::{gated, unborn};
pub use fact::{Answer, Fact};
pub use head::{Head, Status};
pub use input::{Decision, Input, Ran, Verdict};
pub use state::{
    End, Follows, Gate, Heard, How, Identity, Live, Origin, Parent, Past, Phase, Place, Run, Stand,
    Stored,
};
pub use view::{Awaited, RunView, StepState, StepView};
