//! How a run comes to its end, and what must be done whenever it rests.

use crate::random::end::End;
use crate::random::model::{Verdict, View, ensure};
use crate::random::plan::{Finish, Op};

/// The programme is over but for its end.
pub fn start_to_end(end: &mut End) {
    let read = Op::ReadToEnd(300);
    let after = [Op::Write(vec![3]), Op::Flush, Op::Shutdown, Op::Read(5), Op::Look(5), Op::Drop];
    let (mut ops, mut after) = match end.programme.finish {
        Finish::ShutdownThenRead => (vec![Op::Shutdown, read], &after[..]),
        Finish::ReadThenShutdown => (vec![read, Op::Shutdown], &after[..]),
        Finish::ReadThenDrop => (vec![read], &after[5..]),
        Finish::Close => (vec![Op::Close(4001, "over".into(), u32::MAX)], &after[..]),
        Finish::Drop => (vec![], &after[5..]),
    };
    if end.home.borrow().is_none() && !end.is_lent() {
        (ops, after) = (vec![], &[]);
    }
    let both = end.lanes.len() == 2 && end.programme.finish == Finish::ShutdownThenRead;
    for (i, lane) in end.lanes.iter_mut().enumerate() {
        lane.ops.clear();
        let reads = matches!(lane.current, Some(Op::Read(_) | Op::Look(_)));
        if reads || lane.closing.is_some() || (i == 1 && !both) {
            lane.cancel();
        }
    }
    if both {
        // A reader and a writer to the end.
        if let Some(read) = ops.pop() {
            end.lanes[1].ops.push_back(read);
        }
        after = &after[..0];
    }
    end.lanes[0].ops.extend(ops.into_iter().chain(after.iter().cloned()));
}

/// A shutdown that has failed is tried again, a few times: the error has been reported by then.
pub fn again(end: &mut End) {
    if end.failures > 0 && end.home.borrow().is_some() {
        end.failures = 0;
        end.tries += 1;
        if end.tries < 5 {
            end.lanes[0].ops.push_front(Op::Shutdown);
        }
    }
}

/// Nobody is awake, and the transport is open: so nothing is left undone.
pub fn check_rest(end: &End, view: &View<'_>) -> Verdict {
    let mut parked = false;
    for lane in &end.lanes {
        let Some(op) = &lane.current else { continue };
        let waits_to_read = matches!(op, Op::Read(_) | Op::Look(_) | Op::ReadToEnd(_) | Op::Close(..));
        parked |= waits_to_read;
        let readable = view.inn.is_readable();
        ensure("4.3 no reader loses its wake-up", !waits_to_read || !readable, || format!("{op:?}"))?;
        ensure("4.3 no writer loses its wake-up", waits_to_read, || format!("{op:?}"))?;
    }
    let failed = view.out.write_failed.is_some() || view.out.shut;
    if parked && !failed { end.model.at_rest(view) } else { Ok(()) }
}
