//! A failing run, made as short as it gets.

use std::fmt::Write;

use super::model::Failure;
use super::plan::{Lanes, Party, Plan};
use super::world::run;

/// So many runs are tried to shorten one.
const MOST: usize = 1500;

/// The shortest run that breaks the same rule, step by step.
pub fn show(plan: &Plan, failure: &Failure) -> String {
    let (plan, tried) = shorten(plan, failure.rule);
    let outcome = run(&plan, true);
    let mut text = format!("\n=== {} (seed {}, shortened in {tried} runs)\n", failure.rule, plan.seed);
    for (name, party) in ["A", "B"].iter().zip(&plan.ends) {
        let _ = match party {
            Party::Stream(programme) => {
                writeln!(text, "{name}: {:?}, {:?}, {:?}", programme.setup, programme.lanes, programme.finish)
            }
            Party::Raw(script) => writeln!(text, "{name}: raw, {:?}, {:02x?}", script.manners, script.frames),
        };
    }
    for (pipe, (window, traits)) in ["A to B", "B to A"].iter().zip(plan.windows.iter().zip(&plan.traits)) {
        let _ = writeln!(text, "{pipe}: window {}, {traits:?}", amount(*window));
    }
    for line in outcome.trace {
        let _ = writeln!(text, "  {line}");
    }
    let why = outcome.failure.map_or_else(String::new, |failure| failure.text);
    let _ = writeln!(text, "  => {why}");
    text
}

/// A number of bytes, where there may be no limit.
fn amount(n: usize) -> String {
    if n == usize::MAX { "any".into() } else { n.to_string() }
}

fn shorten(plan: &Plan, rule: &str) -> (Plan, usize) {
    let (mut best, mut tried) = (plan.clone(), 0);
    loop {
        let before = size(&best);
        for change in 0.. {
            let Some(plan) = changed(&best, change) else { break };
            keep(&mut best, plan, rule, &mut tried);
        }
        // Events go in halves, quarters, and so on down to each alone.
        let mut piece = best.events.len();
        while piece > 0 {
            let mut at = 0;
            while at < best.events.len() {
                let mut plan = best.clone();
                plan.events.drain(at..(at + piece).min(best.events.len()));
                if !keep(&mut best, plan, rule, &mut tried) {
                    at += piece;
                }
            }
            piece /= 2;
        }
        if size(&best) == before || tried >= MOST {
            return (best, tried);
        }
    }
}

fn keep(best: &mut Plan, plan: Plan, rule: &str, tried: &mut usize) -> bool {
    *tried += 1;
    let holds = *tried < MOST && run(&plan, false).failure.is_some_and(|failure| failure.rule == rule);
    if holds {
        *best = plan;
    }
    holds
}

/// What the loop wants less of.
fn size(plan: &Plan) -> usize {
    let parties = plan.ends.iter().map(|party| match party {
        Party::Stream(programme) => programme.ops.iter().map(Vec::len).sum::<usize>(),
        Party::Raw(script) => script.frames.len(),
    });
    plan.events.len() + parties.sum::<usize>()
}

/// The plan with one thing less; `None` after the last.
fn changed(plan: &Plan, mut change: usize) -> Option<Plan> {
    let mut plan = plan.clone();
    for pipe in 0..2 {
        match change {
            0 => plan.traits[pipe].hesitant = 0,
            1 => plan.traits[pipe].nibbles = false,
            2 => plan.traits[pipe].buffered = None,
            3 => plan.windows[pipe] = usize::MAX,
            _ => {
                change -= 4;
                continue;
            }
        }
        return Some(plan);
    }
    for party in &mut plan.ends {
        match party {
            Party::Stream(programme) => {
                match change {
                    0 => programme.setup.write_buffer = 0,
                    1 => programme.setup.max_frame_len = None,
                    2 => (programme.setup.keep_alive, programme.setup.limit) = (false, false),
                    3 if programme.lanes != Lanes::One => {
                        let reading = std::mem::take(&mut programme.ops[1]);
                        programme.ops[0].extend(reading);
                        programme.lanes = Lanes::One;
                    }
                    _ => {}
                }
                if change < 4 {
                    return Some(plan);
                }
                change -= 4;
                for ops in &mut programme.ops {
                    if change < ops.len() {
                        ops.remove(change);
                        return Some(plan);
                    }
                    change -= ops.len();
                }
            }
            Party::Raw(script) => {
                if change < script.frames.len() {
                    script.frames.remove(change);
                    return Some(plan);
                }
                change -= script.frames.len();
            }
        }
    }
    None
}
