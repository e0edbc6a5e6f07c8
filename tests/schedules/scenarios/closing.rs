//! Both Closes, in any order, from every call that sends or meets one.

use super::*;

/// The peer's Closes: their code, and whether the stream keeps its writing open after such a one.
const CLOSES: [(&str, Option<u16>, bool); 5] = [
    ("1000", Some(1000), true),
    ("none", None, true),
    ("1000-at-once", Some(1000), false),
    ("1001", Some(1001), true),
    ("1011", Some(1011), true),
];

#[test]
fn peers_close_meets_a_writer_that_waits() {
    for (name, code, half_close) in CLOSES {
        let scenario = server()
            .config(|config| config.half_close(half_close))
            .room(1)
            .task(&[READ_TO_END])
            .task(&[Op::Write(2), Op::Write(1), Op::Shutdown])
            .environment([peer().close(code)])
            .environment([Event::Open]);
        in_each_form(&format!("close-{name}"), &scenario);
        every_schedule(&format!("close-{name}/split"), &scenario.form(Form::Split));
    }
}

#[test]
fn shutdown_that_is_dropped_leaves_its_close_to_the_reader() {
    let scenario = server()
        .room(1)
        .cancels(1)
        .task(&[READ_TO_END])
        .task(&[Op::Shutdown])
        .environment([Event::Open])
        .environment([peer().ping(b"")]);
    in_each_form("cancelled-shutdown", &scenario);
}

#[test]
fn second_close_shuts_the_transport_whoever_completes_it() {
    for (name, code) in [("1000", Some(1000)), ("1001", Some(1001))] {
        let scenario = server()
            .shut_blocked()
            .cancels(1)
            .task(&[READ_TO_END, Op::Read(64)])
            .task(&[Op::Shutdown])
            .environment([peer().close(code)])
            .environment([Event::ShutdownGoes]);
        in_each_form(&format!("both-closes-{name}"), &scenario);
    }
}

#[test]
fn second_close_shuts_a_transport_that_is_never_in_the_way() {
    for (name, code, half_close) in CLOSES {
        let scenario = server()
            .config(|config| config.half_close(half_close).abnormal_close_is_error(false))
            .task(&[READ_TO_END])
            .task(&[Op::Shutdown])
            .environment([peer().close(code)]);
        in_each_form(&format!("shuts-{name}"), &scenario);
    }
}

#[test]
fn flush_of_a_close_is_waited_for() {
    let scenario = server()
        .flush_blocked()
        .cancels(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(1), Op::Shutdown])
        .environment([peer().close(Some(1001))])
        .environment([Event::FlushGoes]);
    in_each_form("close-flush", &scenario);
}

#[test]
fn close_sends_discards_and_waits() {
    for (name, code) in [("1000", Some(1000)), ("1001", Some(1001)), ("1011", Some(1011)), ("none", None)] {
        let scenario = server()
            .room(1)
            .shut_blocked()
            .cancels(1)
            .task(&[Op::Close(1000), Op::Close(1000)])
            .environment([peer().ping(b"p"), peer().close(code)])
            .environment([Event::Open, Event::ShutdownGoes]);
        every_schedule(&format!("close-call-{name}"), &scenario);
    }
}

#[test]
fn read_goes_on_after_close_was_dropped() {
    let scenario = server()
        .room(1)
        .cancels(1)
        .task(&[Op::Close(1000), READ_TO_END, Op::Shutdown])
        .environment([peer().data(b"d"), peer().close(Some(1000))])
        .environment([Event::Open]);
    every_schedule("close-dropped", &scenario);
}
