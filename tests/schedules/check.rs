//! What must be true when a call returns, and when nothing more happens.

use std::io::ErrorKind;

use crate::ends::{Done, Op};
use crate::transport::Control;
use crate::wire::{self, Frame};
use crate::world::{Sent, Told, World};

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// The frames on the wire, and whether the last one is cut.
fn frames(control: &Control) -> (Vec<Frame>, bool) {
    let written = control.state().written.clone();
    let (frames, rest) = wire::decode_prefix(&written);
    (frames, !rest.is_empty())
}

fn closes(frames: &[Frame]) -> usize {
    frames.iter().filter(|frame| frame.opcode == wire::CLOSE).count()
}

/// A call has returned.
pub fn result(told: &Told, op: Op, done: &Done, sent: &Sent, control: &Control) -> Result<(), String> {
    let all_is_out = || {
        let (frames, is_cut) = frames(control);
        let is_flushed = control.state().is_flushed();
        ensure(!is_cut && wire::payload(&frames) == told.accepted && is_flushed, || {
            format!(
                "{op:?} is Ok, and of {} bytes there are out: {frames:?}, cut: {is_cut}",
                told.accepted.len()
            )
        })?;
        Ok::<_, String>(frames)
    };
    match done {
        Done::Read(bytes) if bytes.is_empty() => {
            ensure(sent.close.is_some(), || "there is no end without a Close".into())?;
            let all = told.discards || told.delivered == sent.payload;
            ensure(all, || format!("the end came after {} bytes", told.delivered.len()))
        }
        Done::Read(bytes) => {
            let delivered = [&told.delivered[..], bytes].concat();
            ensure(sent.payload.starts_with(&delivered), || format!("{bytes:02x?} was never sent"))
        }
        Done::Wrote(_) => ensure(!told.ends, || "a write is accepted after the end".into()),
        Done::Flushed => all_is_out().map(drop),
        Done::Shut | Done::Closed => {
            let ended = sent.is_illegal || sent.has_ended || sent.write_fails;
            if ended {
                return Ok(());
            }
            let frames = all_is_out()?;
            ensure(closes(&frames) == 1, || format!("{op:?} is Ok without a Close"))?;
            let is_over = *done == Done::Closed || told.read_end.is_some();
            ensure(!is_over || control.state().is_shut, || format!("{op:?} leaves the transport open"))
        }
        // Nobody else will send it: what is left is done at once, as far as that goes.
        Done::Dropped
            if op == Op::DropWriter && told.has_clean_end() && control.state().room == usize::MAX =>
        {
            ensure(closes(&frames(control).0) == 1, || "the Close of a dropped half has not left".into())
        }
        Done::Dropped => Ok(()),
        Done::Failed(kind) => ensure(is_due(told, op, *kind, sent), || format!("{op:?} fails: {kind:?}")),
    }
}

fn is_due(told: &Told, op: Op, kind: ErrorKind, sent: &Sent) -> bool {
    let failed = sent.is_illegal || sent.has_ended;
    if op.reads() {
        let code = sent.close.and_then(|close| close.0);
        let is_abnormal = code.is_some_and(|code| code != 1000 && code != 1001);
        return failed || (is_abnormal && kind == ErrorKind::ConnectionAborted);
    }
    failed || sent.write_fails || (kind == ErrorKind::BrokenPipe && (told.ends || sent.close.is_some()))
}

/// Nothing more happens: nobody sleeps over what could be done, and all that is due has been done.
pub fn check(world: &mut World<'_>) -> Result<(), String> {
    wire_is_right(world)?;
    nothing_is_left(world)?;
    second_close_shuts(world)?;
    nobody_sleeps_over_work(world)
}

fn wire_is_right(world: &World<'_>) -> Result<(), String> {
    let (frames, _) = frames(&world.control);
    let close = frames.iter().position(|frame| frame.opcode == wire::CLOSE).unwrap_or(frames.len());
    ensure(closes(&frames) <= 1, || format!("there are two Closes: {frames:?}"))?;
    let later = &frames[close.min(frames.len())..];
    ensure(later.iter().all(|frame| frame.opcode >= wire::CLOSE), || {
        format!("data follows a Close: {frames:?}")
    })?;
    let data = wire::payload(&frames);
    ensure(world.told.accepted.starts_with(&data), || format!("this was never written: {frames:?}"))?;
    let mut pings = world.sent.pings.iter();
    for pong in frames.iter().filter(|frame| frame.opcode == wire::PONG) {
        ensure(pings.any(|ping| *ping == pong.payload), || {
            format!("a Pong too much, or too late: {frames:?}")
        })?;
    }
    Ok(())
}

/// Where nothing was ever in its way, whoever completes the second Close shuts the transport.
fn second_close_shuts(world: &World<'_>) -> Result<(), String> {
    let was_blocked =
        world.scenario.room < usize::MAX || world.scenario.flush_blocked || world.scenario.shut_blocked;
    let is_over = world.told.has_clean_end() && closes(&frames(&world.control).0) == 1;
    ensure(was_blocked || !is_over || world.control.state().is_shut, || "the transport is left open".into())
}

/// Somebody waits who also pushes: what the transport would take has gone.
fn nothing_is_left(world: &World<'_>) -> Result<(), String> {
    let World { control, told, sent, .. } = world;
    let sleepers = world.sleepers();
    let waits =
        |wanted: fn(Op) -> bool| sleepers.iter().any(|i| world.tasks[*i].waiting().any(|(_, op)| wanted(op)));
    let reads = waits(Op::reads);
    let closes = waits(|op| matches!(op, Op::Close(_)));
    let (has_room, flush_blocked) = control.state().lets_pass();
    if !(reads || closes) || !has_room || sent.write_fails || sent.is_illegal {
        return Ok(());
    }
    let (frames, is_cut) = frames(control);
    let all = wire::payload(&frames) == told.accepted;
    ensure((all || world.gathers()) && !is_cut, || {
        format!("{} bytes were accepted, and there are out: {frames:?}, cut: {is_cut}", told.accepted.len())
    })?;
    if reads && sent.close.is_none() && !sent.has_ended {
        let pong = frames.iter().rev().find(|frame| frame.opcode == wire::PONG);
        ensure(pong.map(|pong| &pong.payload) == sent.pings.last(), || {
            format!("a Pong is missing: {frames:?}")
        })?;
        let all = told.discards || told.delivered == sent.payload;
        ensure(all, || {
            format!("a read waits, and {} of {:?} were read", told.delivered.len(), sent.payload)
        })?;
    }
    ensure(flush_blocked || !ends_with_unflushed_control(control), || format!("not flushed: {frames:?}"))
}

/// Whether there is a control frame among what was written since the last flush.
fn ends_with_unflushed_control(control: &Control) -> bool {
    let state = control.state();
    let (before, _) = wire::decode_prefix(&state.written[..state.flushed]);
    let after = wire::decode_prefix(&state.written).0.split_off(before.len());
    after.iter().any(|frame| frame.opcode >= wire::CLOSE)
}

/// Polls everybody once more: whatever comes of it, a wake-up should have announced.
fn nobody_sleeps_over_work(world: &mut World<'_>) -> Result<(), String> {
    for task in world.sleepers() {
        let before = progress(world);
        world.poll(task)?;
        let after = progress(world);
        ensure(before == after, || {
            format!(
                "task {task} slept, with work to do: (written, unread, shut, calls) {before:?}, then {after:?}"
            )
        })?;
    }
    Ok(())
}

fn progress(world: &World<'_>) -> (usize, usize, bool, usize) {
    let state = world.control.state();
    // Frames that are gathered leave with any read: nobody is woken for them.
    let written = if world.gathers() { 0 } else { state.written.len() };
    // A flush of the application's frames is the application's affair.
    (written, state.input.len(), state.is_shut, world.told.calls)
}
