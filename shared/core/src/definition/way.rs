//! The ways from step to step: targets that exist, dependencies that can be met, steps that can be reached.

use std::collections::BTreeSet;
use std::ops::Range;

use super::code;
use super::diagnostic::Sink;
use super::flow::OnFailure;
use super::model::Step;
use super::step::Written;
use crate::condition::Condition;

mod reads;

/// Checks what only all steps together can get wrong.
pub(super) fn check(sink: &mut Sink<'_>, steps: &[Written]) {
    for written in steps {
        targets(sink, steps.len(), written);
        for key in ["if", "when"] {
            let condition = if key == "if" { &written.step.only_if } else { &written.step.when };
            if let Some(condition) = condition {
                reads::check(sink, steps.len(), condition, written.place(key));
            }
        }
        for branch in &written.branches {
            if let Some(condition) = &branch.case.condition {
                reads::check(sink, steps.len(), condition, branch.at.clone());
            }
        }
    }
    if steps.iter().any(|written| !written.step.depends_on.is_empty()) {
        dependencies(sink, steps);
        steps.iter().for_each(|written| jumps(sink, written));
        return;
    }
    steps.iter().filter(|written| !written.is_broken).for_each(|written| when(sink, written));
    if !sink.has_errors() {
        unreachable(sink, steps);
    }
}

/// The steps that a step names, with the key and place of each.
fn named(written: &Written) -> Vec<(u32, &'static str, Range<usize>)> {
    let step = &written.step;
    let mut named: Vec<(u32, &'static str, Range<usize>)> = Vec::new();
    named.extend(step.next.map(|next| (next, "next", written.place("next"))));
    named.extend(written.branches.iter().map(|way| (way.case.next, "switch", way.at.clone())));
    named.extend(step.depends_on.iter().map(|on| (*on, "depends_on", written.place("depends_on"))));
    if let OnFailure::Goto { step } = step.on_failure {
        named.push((step, "on_failure", written.place("on_failure")));
    }
    named
}

fn targets(sink: &mut Sink<'_>, count: usize, written: &Written) {
    for (target, key, at) in named(written) {
        if (1..=count).contains(&(target as usize)) {
            continue;
        }
        let message = format!("`{key}` names step {target}, and there is none");
        let help = match count {
            1 => "there is one step, numbered 1".to_owned(),
            count => format!("the steps are numbered 1 to {count}"),
        };
        sink.error_with_help(code::MISSING_TARGET, at, message, help);
    }
}

/// Dependencies point backwards; those that do not are reported, a circle of them once.
fn dependencies(sink: &mut Sink<'_>, steps: &[Written]) {
    let mut told: BTreeSet<u32> = BTreeSet::new();
    for written in steps {
        let step = &written.step;
        let at = || written.place("depends_on");
        if step.depends_on.contains(&step.number) {
            let message = format!("step {} depends on itself", step.number);
            let help = "name the steps that must be done before it".to_owned();
            sink.error_with_help(code::BAD_DEPENDENCY, at(), message, help);
            continue;
        }
        let Some(later) = step.depends_on.iter().find(|on| {
            **on > step.number && usize::try_from(**on).is_ok_and(|on| on <= steps.len())
        }) else {
            continue;
        };
        if told.contains(&step.number) {
            continue;
        }
        if let Some(circle) = circle(steps, step.number) {
            let shown: Vec<String> = circle.iter().map(ToString::to_string).collect();
            let message = format!("steps wait for each other: {}", shown.join(" → "));
            let help = "take one of these dependencies away".to_owned();
            sink.error_with_help(code::DEPENDENCY_CYCLE, at(), message, help);
            told.extend(circle);
            continue;
        }
        let message = format!("step {} depends on step {later}, which comes after it", step.number);
        let help = "put the step that is needed first before the one that needs it".to_owned();
        sink.error_with_help(code::BAD_DEPENDENCY, at(), message, help);
    }
}

/// A shortest way from `start` along dependencies back to it.
fn circle(steps: &[Written], start: u32) -> Option<Vec<u32>> {
    let on = |number: u32| {
        let step = (number as usize).checked_sub(1).and_then(|index| steps.get(index));
        step.map_or(&[][..], |written| &written.step.depends_on)
    };
    let mut came_from = vec![0_u32; steps.len() + 1];
    let mut front = vec![start];
    while !front.is_empty() {
        let mut next = Vec::new();
        for number in front {
            for target in on(number) {
                if *target == start {
                    let mut way = vec![start, number];
                    while let Some(last) = way.last().filter(|last| **last != start) {
                        way.push(came_from[*last as usize]);
                    }
                    way.reverse();
                    return Some(way);
                }
                let seen = came_from.get_mut(*target as usize).filter(|from| **from == 0);
                if let Some(from) = seen {
                    *from = number;
                    next.push(*target);
                }
            }
        }
        front = next;
    }
    None
}

fn jumps(sink: &mut Sink<'_>, written: &Written) {
    let step = &written.step;
    let goes_to = matches!(step.on_failure, OnFailure::Goto { .. });
    for (is_there, key) in [
        (step.next.is_some(), "next"),
        (!step.switch.is_empty(), "switch"),
        (step.when.is_some(), "when"),
        (step.terminal, "terminal"),
        (goes_to, "on_failure"),
    ] {
        if !is_there {
            continue;
        }
        let what = if goes_to && key == "on_failure" { "goto" } else { key };
        let message = format!("`{what}` in an SOP whose steps depend on each other");
        let help =
            "with `depends_on` anywhere the order is that of the dependencies: leave it out, \
                    or say `if` on the steps that may be skipped"
                .to_owned();
        return sink.error_with_help(code::JUMP_IN_GRAPH, written.place(key), message, help);
    }
}

fn when(sink: &mut Sink<'_>, written: &Written) {
    let step = &written.step;
    if step.when.is_some() && step.next.is_none() && step.switch.is_empty() && !step.terminal {
        let message = "`when` guards a way out, and this step has none".to_owned();
        let help =
            "add `next`, `switch` or `terminal`; to skip the step itself, write `if`".to_owned();
        sink.error_with_help(code::WHEN_ALONE, written.place("when"), message, help);
    }
}

/// Warns of steps that no run can come to; of those that only such a step leads to, not again.
fn unreachable(sink: &mut Sink<'_>, steps: &[Written]) {
    let mut seen = vec![false; steps.len()];
    reach(steps, 0, &mut seen);
    for index in 0..steps.len() {
        if seen[index] {
            continue;
        }
        let message = format!("no run ever comes to step {}", index + 1);
        let help = "lead to it with `next`, `switch` or `on_failure: goto`, or take it out";
        let at = steps[index].title_at.clone();
        sink.warn(code::UNREACHABLE, at, message, help.to_owned());
        reach(steps, index, &mut seen);
    }
}

fn reach(steps: &[Written], from: usize, seen: &mut [bool]) {
    let mut open = vec![from];
    while let Some(index) = open.pop() {
        let Some(written) = steps.get(index) else { continue };
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        if falls_through(&written.step) {
            open.push(index + 1);
        }
        open.extend(named(written).iter().map(|(target, ..)| (*target as usize).wrapping_sub(1)));
    }
}

/// Whether a run may go on at the step after `step`.
fn falls_through(step: &Step) -> bool {
    let has_else = step.switch.iter().any(|case| case.condition.is_none());
    step.only_if.is_some()
        || step.when.is_some()
        || step.on_failure == OnFailure::Continue
        || !(step.next.is_some() || step.terminal || has_else)
}
