//! How a run moves: a pure function of the definition, the run, an input and the time.
//!
//! [`start`] and [`decide()`] say what happened (a [`Fact`]) or why nothing may ([`Refusal`]);
//! [`evolve()`] says what the run is after a fact. [`outstanding`] says, from the state alone, what is
//! to be done outside; [`Head::of`] what lists show of it; [`slot_change`] what it means for the SOP's
//! admission counter. Nothing here reads a clock: `now` comes in, `wake_at` goes out.

mod admission;
mod decide;
mod effect;
mod evolve;
mod head;
mod input;
mod state;
mod view;

pub use admission::{Admission, Counters, SlotChange, decide_admission, slot_change};
pub use decide::{Cause, Refusal, Transition, decide, start};
pub use effect::{Effect, EffectKey, outstanding};
pub use evolve::evolve;
pub use head::{Attention, Head, Status};
pub use input::{Decision, Input, Verdict};
pub use state::{End, Fact, How, Identity, Run, Settled, State, Stored};
pub use view::{RunView, StepState, StepView};
