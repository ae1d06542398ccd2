//! A built-in does a step; people are told of a gate.

use serde_json::{Value, json};
use sop_core::Timestamp;
use sop_core::definition::{Definition, Delivery};
use sop_core::engine::{Effect, EffectKey, Fact, Gate, Live, Ran, Run, Stand, Stored, Verdict};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_core::template::{Mask, Rendered, takes_secrets};

use super::{Call, Notice, Of, Perform, tell};
use crate::flow::{FlowError, Host, gate, values};
use crate::metric;
use crate::port::{Blobs, Claim, Clock, Idempotency, Journal, Queue, Resolved, Secrets, resolve};

/// Milliseconds for which it is remembered that a step which may not be done twice was begun.
const BEGUN_MS: i64 = 30 * 24 * 3_600_000;

/// Does the step and tells its run how it went.
pub(super) async fn perform<S, Q, C, P, K>(
    host: &Host<S, Q, C>,
    (performer, secrets): (&P, &K),
    of: Of<'_>,
    effect: Effect,
) -> Result<(), FlowError>
where
    S: Journal + Blobs + Idempotency,
    Q: Queue,
    C: Clock,
    P: Perform,
    K: Secrets,
{
    let Effect::Perform { ref key, deadline, delivery, .. } = effect else {
        return Err(FlowError::WrongQueue);
    };
    let key = key.clone();
    if host.now() >= deadline || !is_outstanding(of.1, &key) {
        tracing::info!(run.id = %key.run, step = key.step, "effect is no longer outstanding");
        return Ok(());
    }
    let began = host.now();
    let ran = |now: Timestamp| {
        let ms = u32::try_from(now.millis_since(began)).unwrap_or_default();
        Ran { began, ms }
    };
    let verdict = match call(host, secrets, of.0, effect).await? {
        Err(reason) => Verdict::Failed { reason },
        Ok(_) if delivery == Delivery::AtMostOnce && !is_first(host, &key).await? => {
            let reason = "whoever began it died before telling how it went".to_owned();
            Verdict::Unknown { reason }
        }
        Ok((call, mask)) => {
            let done = performer.perform(&call).await;
            metric::executed(&call.capability, ran(host.now()));
            tracing::info!(
                run.id = %key.run,
                step = key.step,
                attempt = key.attempt,
                capability = %call.capability,
                trace = call.trace.as_deref().unwrap_or(""),
                done = done.is_ok(),
                "effect"
            );
            match done {
                // What came back may hold what was sent out.
                Ok(output) => completed(host, &mask.value(output)).await?,
                Err(reason) => Verdict::Failed { reason: mask.text(reason) },
            }
        }
    };
    let told = (verdict, Some(ran(host.now())));
    tell(host, key.run, (key.step, key.attempt), "executor", told).await
}

fn is_outstanding(run: &Run, key: &EffectKey) -> bool {
    run.live(key.step).is_some_and(|live| {
        matches!(live.stand, Stand::Performer { .. }) && live.attempt == key.attempt
    })
}

/// Whether nobody has begun the step that may not be done twice; from now on somebody has.
async fn is_first<S: Idempotency, Q, C: Clock>(
    host: &Host<S, Q, C>,
    key: &EffectKey,
) -> Result<bool, FlowError> {
    let now = host.now();
    let until = now.plus_millis(BEGUN_MS);
    let claim = host.store.claim(&host.tenant, &format!("begun/{key}"), "", now, until).await?;
    Ok(matches!(claim, Claim::New))
}

/// The call that `effect` asks for, or why it cannot be made.
async fn call<S, Q, C, K>(
    host: &Host<S, Q, C>,
    secrets: &K,
    sop: &Definition,
    effect: Effect,
) -> Result<Result<(Call, Mask), String>, FlowError>
where
    S: Journal + Blobs,
    K: Secrets,
{
    let Effect::Perform { key, capability, with, args, gets, guidance, deadline, trace, .. } =
        effect
    else {
        return Err(FlowError::WrongQueue);
    };
    let rendered = match args {
        Some(seq) => values::args_at(host, &key.run, seq, key.step).await?,
        None => Rendered::plain(with),
    };
    if let Some(name) = rendered.secret_names().first().filter(|_| !takes_secrets(&capability)) {
        // Validation says so too; what was stored some other way is to learn no secret either.
        return Ok(Err(format!("`{capability}` may not be given the secret `{name}`")));
    }
    let Resolved { value: with, mask } = match resolve(secrets, rendered).await? {
        Ok(resolved) => resolved,
        Err(missing) => return Ok(Err(missing.to_string())),
    };
    let guidance = match guidance {
        Some(seq) => {
            let fact = values::entry(host, &key.run, seq).await?.fact;
            if let Fact::Revised { guidance, .. } = fact { Some(guidance) } else { None }
        }
        None => None,
    };
    let input = values::input(host, &key.run, &gets).await?;
    let step = sop.step(key.step);
    let call = Call {
        input_schema: step.and_then(|step| step.input.clone()),
        output_schema: step.and_then(|step| step.output.clone()),
        key,
        capability,
        with,
        input,
        guidance,
        deadline,
        trace,
    };
    Ok(Ok((call, mask)))
}

async fn completed<S: Blobs, Q, C>(
    host: &Host<S, Q, C>,
    output: &Value,
) -> Result<Verdict, FlowError> {
    if output.is_null() {
        return Ok(Verdict::Completed { output: None });
    }
    let text = output.to_string();
    if text.len() > PAYLOAD_BYTES_MAX {
        let reason =
            format!("the output has {} bytes; at most {PAYLOAD_BYTES_MAX} are kept", text.len());
        return Ok(Verdict::Failed { reason });
    }
    let stored = Stored::of(&text);
    if let Stored::Blob { digest, .. } = &stored {
        host.store.put_blob(digest, &text).await?;
    }
    Ok(Verdict::Completed { output: Some(stored) })
}

/// Sends word of a gate, while it is open, to each of its routes.
pub(super) async fn notify<S, Q, C, P>(
    host: &Host<S, Q, C>,
    performer: &P,
    (sop, run): Of<'_>,
    effect: &Effect,
) -> Result<(), FlowError>
where
    S: Journal + Blobs,
    P: Perform,
{
    let Effect::Notify { gate, escalations, routes, .. } = effect else {
        return Err(FlowError::WrongQueue);
    };
    let Some((live, open)) = run.gate(*gate).filter(|(_, open)| open.escalations == *escalations)
    else {
        return Ok(());
    };
    let prompt = match sop.step(live.step) {
        Some(step) => gate::prompt(host, (sop, run), step).await?,
        None => None,
    };
    let body = word((sop, run), live, open, prompt);
    for (number, route) in routes.iter().enumerate() {
        let notice = Notice {
            id: format!("{}-{gate}-{escalations}-{number}", run.identity.id),
            at: live.since,
            subject: format!("{} waits for an approval of step {}", sop.name, live.step),
            route: route.clone(),
            body: body.clone(),
        };
        if let Err(reason) = performer.notify(&notice).await {
            tracing::error!(run.id = %run.identity.id, gate, %reason, "word of a gate not sent");
            return Err(FlowError::NotTold { reason });
        }
    }
    Ok(())
}

/// What is said of a gate. A prompt that cannot be filled in is left out, with the reason.
fn word(
    (sop, run): Of<'_>,
    live: &Live,
    open: &Gate,
    prompt: Option<Result<String, String>>,
) -> Value {
    let (prompt, problem) = match prompt {
        Some(Ok(text)) => (Some(text), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let mut word = json!({
        "run": run.identity.id.as_str(),
        "sop": run.identity.sop.as_str(),
        "version": run.identity.version,
        "step": live.step,
        "title": sop.step(live.step).map(|step| step.title.as_str()),
        "prompt": prompt,
        "gate": open.gate,
        "shown": open.shown.to_string(),
        "escalations": open.escalations,
        "until": open.until.map(|until| until.to_string()),
    });
    if let Some(problem) = problem {
        word["prompt_problem"] = Value::String(problem);
    }
    word
}
