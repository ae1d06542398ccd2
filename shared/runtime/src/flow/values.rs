//! Values that decisions and built-ins look at: where they are, and how they are read.

use std::collections::BTreeSet;

use serde_json::Value;
use sop_core::engine::{Answer, Gets, Need, Place, Run, Stored, Values, value_of_text};
use sop_core::id::RunId;
use sop_core::journal::Entry;
use sop_core::template::Rendered;

use crate::flow::{FlowError, Host};
use crate::port::{Blobs, Journal};

/// Puts `needs` at hand. The entry that is being decided on is `seq` of `run`; it will hold `brought`.
pub(super) async fn fetch<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &Run,
    (seq, brought): (u64, Option<&Stored>),
    needs: BTreeSet<Need>,
    values: &mut Values,
) -> Result<(), FlowError> {
    for need in needs {
        let value = match &need {
            Need::Value(Place { run: None, seq: at }) if *at == seq => match brought {
                Some(stored) => Some(value_of_text(&text(host, stored).await?)),
                None => None,
            },
            Need::Value(place) => value_at(host, &run.identity.id, place).await?,
            Need::Args(step) => match run.live(*step).and_then(|live| live.args) {
                Some(seq) => {
                    let rendered = args_at(host, &run.identity.id, seq, *step).await?;
                    Some(serde_json::to_value(rendered).expect("only string keys"))
                }
                None => None,
            },
        };
        values.put(need, value);
    }
    Ok(())
}

/// What a step gets, in JSON.
pub(super) async fn input<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    gets: &Gets,
) -> Result<Value, FlowError> {
    match gets {
        Gets::One(place) => Ok(maybe_at(host, run, place.as_ref()).await?.unwrap_or_default()),
        Gets::Each(several) => {
            let mut each = serde_json::Map::new();
            for (step, place) in several {
                let value = maybe_at(host, run, place.as_ref()).await?;
                each.insert(step.to_string(), value.unwrap_or_default());
            }
            Ok(Value::Object(each))
        }
    }
}

async fn maybe_at<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    place: Option<&Place>,
) -> Result<Option<Value>, FlowError> {
    match place {
        Some(place) => value_at(host, run, place).await,
        None => Ok(None),
    }
}

async fn value_at<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    place: &Place,
) -> Result<Option<Value>, FlowError> {
    match stored_at(host, run, place).await? {
        Some(stored) => Ok(Some(value_of_text(&text(host, &stored).await?))),
        None => Ok(None),
    }
}

/// The payload or output that the entry at `place` holds.
pub(super) async fn stored_at<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    place: &Place,
) -> Result<Option<Stored>, FlowError> {
    let entry = entry(host, place.run.as_ref().unwrap_or(run), place.seq).await?;
    Ok(entry.fact.brings().cloned())
}

/// The arguments of step `number` that entry `seq` holds.
pub(super) async fn args_at<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    seq: u64,
    number: u32,
) -> Result<Rendered, FlowError> {
    let entry = entry(host, run, seq).await?;
    let rendered = entry.asked.into_iter().rev().find_map(|answer| match answer {
        Answer::Rendered { step, args, secrets } if step == number => Some((args, secrets)),
        Answer::Rendered { .. }
        | Answer::If { .. }
        | Answer::When { .. }
        | Answer::Switch { .. }
        | Answer::Unrenderable { .. } => None,
    });
    let Some((args, secrets)) = rendered else {
        return Err(FlowError::NoArguments { run: run.clone(), seq, step: number });
    };
    let value = value_of_text(&text(host, &args).await?);
    Ok(Rendered { value, secrets })
}

pub(super) async fn entry<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    seq: u64,
) -> Result<Entry, FlowError> {
    match host.store.entry(run, seq).await? {
        Some(sealed) => Ok(sealed.open()?),
        None => Err(FlowError::NoRun(run.clone())),
    }
}

/// The text that `stored` stands for.
pub(super) async fn text<S: Blobs, Q, C>(
    host: &Host<S, Q, C>,
    stored: &Stored,
) -> Result<String, FlowError> {
    match stored {
        Stored::Inline(text) => Ok(text.clone()),
        Stored::Blob { digest, .. } => {
            host.store.blob(digest).await?.ok_or(FlowError::NoBlob(*digest))
        }
    }
}
