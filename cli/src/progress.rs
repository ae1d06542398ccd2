//! A run on screen: its steps, what it waits for, and what to type next.

use anyhow::Result;

use crate::context::Context;
use crate::render::{Style, printable};
use crate::wire::{Awaited, Run, Step, Turn};

/// Prints a run for people.
pub(crate) fn print(context: &mut Context, run: &Run) -> Result<()> {
    let suffix = context.suffix();
    let screen = &mut context.screen;
    let title =
        screen.paint(Style::Bold, &format!("{} {}", printable(&run.sop), printable(&run.version)));
    let status = screen.paint(style(&run.status), &printable(&run.status));
    screen.line(format!("{title}  {}  {status}", printable(&run.run)))?;
    for step in &run.steps {
        let line = step_line(step);
        let painted = screen.paint(style(&step.state), &line);
        screen.line(painted)?;
    }
    let others = [
        ("works for", &run.parent),
        ("takes up again", &run.origin),
        ("was started by the end of", &run.follows),
    ];
    for (what, other) in others {
        if let Some(other) = other {
            screen.line(format!("{what} run {}", printable(other)))?;
        }
    }
    if let Some(reason) = &run.reason {
        screen.line(format!("reason: {}", printable(reason)))?;
    }
    if let Some(what) = run.waiting_for.as_ref().filter(|_| run.awaits.is_empty() || is_held(run)) {
        screen.line(format!("waits for {}", printable(what)))?;
    }
    for awaited in &run.awaits {
        screen.line(printable(&waits(awaited)))?;
    }
    for command in next(run) {
        let command = screen.paint(Style::Cyan, &format!("{command}{suffix}"));
        screen.line(format!("  {command}"))?;
    }
    Ok(())
}

fn step_line(step: &Step) -> String {
    let mark = match step.state.as_str() {
        "done" => "✔",
        "now" => "▶",
        "waiting" => "⏸",
        "failed" => "✘",
        _ => "·",
    };
    format!("  {mark} {} {}", step.number, printable(&step.title))
}

fn style(word: &str) -> Style {
    match word {
        "done" | "completed" => Style::Green,
        "waiting" | "queued" | "paused" => Style::Yellow,
        "failed" | "cancelled" => Style::Red,
        "now" | "running" => Style::Cyan,
        _ => Style::Dim,
    }
}

/// Whether it is not its steps that it waits for.
fn is_held(run: &Run) -> bool {
    matches!(run.status.as_str(), "paused" | "queued")
}

/// What one step waits for, how far that is, and until when.
fn waits(awaited: &Awaited) -> String {
    let step = awaited.step;
    let what = match (awaited.on.as_str(), &awaited.run) {
        ("slot", _) => "waits for a free slot".to_owned(),
        ("approval", _) => approval(awaited),
        ("person", _) => "waits for a person to do it".to_owned(),
        ("performer", _) => "is being done".to_owned(),
        ("timer", _) => "waits".to_owned(),
        ("retry", _) => "failed and is tried again".to_owned(),
        ("event", _) => "waits for an event".to_owned(),
        ("child", Some(run)) => format!("waits for run {run}, which it started"),
        ("unknown", _) => "waits for a person to find out whether it was done".to_owned(),
        (other, _) => format!("waits for {other}"),
    };
    let tries =
        if awaited.attempt > 1 { format!(", try {}", awaited.attempt) } else { String::new() };
    let until = match (&awaited.until, awaited.on.as_str()) {
        (None, _) => String::new(),
        (Some(until), "retry") => format!(" at {until}"),
        (Some(until), _) => format!(", until {until}"),
    };
    format!("step {step} {what}{tries}{until}")
}

fn approval(awaited: &Awaited) -> String {
    let gate = awaited.gate.unwrap_or_default();
    let who = match &awaited.group {
        Some(group) => format!(" by `{group}`"),
        None => String::new(),
    };
    let votes = match awaited.quorum {
        Some(quorum) if quorum > 1 => {
            let by = match awaited.votes.as_slice() {
                [] => String::new(),
                votes => format!(" ({})", votes.join(", ")),
            };
            format!(": {} of {quorum}{by}", awaited.votes.len())
        }
        Some(_) | None => String::new(),
    };
    format!("waits for an approval{who} (gate {gate}){votes}")
}

/// The commands that move the run, or look at it, from where it stands.
fn next(run: &Run) -> Vec<String> {
    let id = printable(&run.run);
    let mut commands = Vec::new();
    match run.status.as_str() {
        "paused" => commands.push(format!("sop resume {id}")),
        "failed" => commands.push(format!("sop retry {id}")),
        _ => {}
    }
    if run.is_finished() {
        commands.push(format!("sop audit verify {id}"));
        return commands;
    }
    let turns = run.turns();
    let several = turns.len() > 1;
    for turn in &turns {
        match turn {
            Turn::Gate(gate, step) => {
                let which = if several { format!(" --gate {gate}") } else { String::new() };
                commands.push(format!("sop approve {id}{which}"));
                commands.push(format!("sop deny {id} --reason '...'{which}"));
                let edit = |awaited: &&Awaited| awaited.step == *step && awaited.edit.is_some();
                if run.awaits.iter().any(|awaited| edit(&awaited)) {
                    commands.push(format!("sop amend {id} '...'{which}"));
                }
            }
            Turn::Step(step) => {
                let which = if several { format!(" --step {step}") } else { String::new() };
                commands.push(format!("sop complete {id}{which}"));
                commands.push(format!("sop fail {id} --reason '...'{which}"));
            }
        }
    }
    if commands.is_empty() {
        commands.push(format!("sop status {id} --watch"));
    }
    commands
}
