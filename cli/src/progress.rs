//! A run on screen: its steps, what it waits for, and what to type next.

use anyhow::Result;

use crate::context::Context;
use crate::render::{Style, printable};
use crate::wire::{Run, Step, Turn};

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
    if let Some(reason) = &run.reason {
        screen.line(format!("reason: {}", printable(reason)))?;
    }
    if let Some(what) = &run.waiting_for {
        screen.line(format!("waits for {}", printable(what)))?;
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
        "waiting" | "queued" => Style::Yellow,
        "failed" | "cancelled" => Style::Red,
        "now" | "running" => Style::Cyan,
        _ => Style::Dim,
    }
}

/// The commands that move the run, or look at it, from where it stands.
fn next(run: &Run) -> Vec<String> {
    let id = printable(&run.run);
    match run.turn() {
        Turn::Gate(_) => {
            vec![format!("sop approve {id}"), format!("sop deny {id} --reason '...'")]
        }
        Turn::Step(_) => {
            vec![format!("sop complete {id}"), format!("sop fail {id} --reason '...'")]
        }
        Turn::None => vec![format!("sop status {id} --watch")],
        Turn::Over => vec![format!("sop audit verify {id}")],
    }
}
