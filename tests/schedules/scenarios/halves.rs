//! What the owned halves have alone: closing while the other half reads, and being dropped.

use super::*;

fn halves() -> Scenario {
    server().form(Form::Halves)
}

#[test]
fn writing_half_closes_while_the_reading_half_reads() {
    for (name, code) in [("1000", Some(1000)), ("1001", Some(1001)), ("1011", Some(1011))] {
        let scenario = halves()
            .room(1)
            .task(&[READ_TO_END])
            .task(&[Op::Close(1000)])
            .environment([peer().close(code)])
            .environment([Event::Open]);
        every_schedule(&format!("half-closes-{name}"), &scenario);
    }
}

#[test]
fn either_call_is_dropped_while_the_writing_half_closes() {
    let scenario = halves()
        .cancels(1)
        .task(&[Op::Read(64), Op::Read(64)])
        .task(&[Op::Close(1000), Op::Close(1000)])
        .environment([peer().close(Some(1000))]);
    every_schedule("half-closes-cancel", &scenario);
}

#[test]
fn either_task_goes_on_elsewhere_while_the_writing_half_closes() {
    let scenario = halves()
        .moves(1)
        .task(&[READ_TO_END])
        .task(&[Op::Close(1000)])
        .environment([peer().data(b"d"), peer().close(None)]);
    every_schedule("half-closes-elsewhere", &scenario);
}

#[test]
fn reading_half_is_dropped_while_the_writing_half_waits() {
    for (name, ops) in [
        ("write", vec![Op::Write(2), Op::Write(1)]),
        ("shutdown", vec![Op::Write(2), Op::Shutdown]),
        ("close", vec![Op::Close(1001)]),
    ] {
        let scenario = halves()
            .room(1)
            .task(&[Op::Read(64), Op::DropReader])
            .task(&ops)
            .environment([peer().close(Some(1001))])
            .environment([Event::Open]);
        every_schedule(&format!("reader-dropped-{name}"), &scenario);
    }
}

#[test]
fn writing_half_that_is_alone_reads_while_it_waits() {
    for (name, op) in [("write", Op::Write(1)), ("shutdown", Op::Shutdown), ("close", Op::Close(1000))] {
        let scenario = halves()
            .room(0)
            .cancels(1)
            .task(&[Op::DropReader, op, op])
            .environment([peer().ping(b"p"), peer().close(Some(1001))])
            .environment([Event::Open]);
        every_schedule(&format!("alone-{name}"), &scenario);
    }
}

#[test]
fn dropped_writing_half_leaves_its_close_to_the_reading_half() {
    for (name, code) in [("1000", Some(1000)), ("none", None), ("1001", Some(1001))] {
        let scenario = halves()
            .room(1)
            .task(&[READ_TO_END, Op::Read(64)])
            .task(&[Op::Write(2), Op::DropWriter])
            .environment([peer().close(code)])
            .environment([Event::Open]);
        every_schedule(&format!("writer-dropped-{name}"), &scenario);
    }
}

#[test]
fn dropped_writing_half_leaves_its_close_to_a_read_of_any_task() {
    let scenario = halves()
        .room(1)
        .cancels(1)
        .moves(1)
        .task(&[Op::Read(64), Op::Read(64)])
        .task(&[Op::Write(2), Op::DropWriter])
        .environment([Event::Open]);
    every_schedule("writer-dropped-elsewhere", &scenario);
}

#[test]
fn forgotten_writing_half_leaves_what_is_kept() {
    let scenario = halves()
        .room(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(2), Op::Write(1), Op::ForgetWriter])
        .environment([peer().ping(b"p")])
        .environment([Event::Open]);
    every_schedule("forgotten", &scenario);
}

#[test]
fn forgotten_writing_half_leaves_gathered_frames() {
    let scenario = halves()
        .gathers(16)
        .room(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(2), Op::ForgetWriter])
        .environment([peer().ping(b"p")])
        .environment([Event::Open]);
    every_schedule("forgotten-gathered", &scenario);
}
