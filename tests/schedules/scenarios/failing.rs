//! What ends a stream in another way meets whoever waits.

use std::io::ErrorKind;

use super::*;
use crate::transport::InputEnd;

#[test]
fn end_of_the_input_meets_a_writer_that_waits() {
    let [header, _] = peer().data_in_two(b"abc", 0);
    for (name, events) in [
        ("eof", vec![Event::End(InputEnd::Eof)]),
        ("eof-inside", vec![header, Event::End(InputEnd::Eof)]),
        ("read-error", vec![Event::End(InputEnd::Error(ErrorKind::ConnectionReset))]),
        ("violation", vec![peer().violation()]),
    ] {
        let scenario = server()
            .room(1)
            .task(&[READ_TO_END])
            .task(&[Op::Write(2), Op::Write(1), Op::Shutdown])
            .environment(events)
            .environment([Event::Open]);
        in_each_form(name, &scenario);
    }
}

#[test]
fn transport_that_cannot_be_written_meets_both() {
    let scenario = server()
        .room(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(2), Op::Write(1), Op::Shutdown])
        .environment([peer().ping(b"p")])
        .environment([Event::WriteFails(ErrorKind::ConnectionReset)]);
    in_each_form("write-error", &scenario);
}

#[test]
fn failure_meets_a_flush_that_waits() {
    let scenario = server()
        .flush_blocked()
        .task(&[READ_TO_END])
        .task(&[Op::Write(1), Op::Flush])
        .environment([peer().violation()])
        .environment([Event::WriteFails(ErrorKind::BrokenPipe)]);
    in_each_form("flush-error", &scenario);
}

#[test]
fn failure_meets_close() {
    for (name, event) in [
        ("close-eof", Event::End(InputEnd::Eof)),
        ("close-violation", peer().violation()),
        ("close-write-error", Event::WriteFails(ErrorKind::ConnectionReset)),
    ] {
        for (form, suffix) in [(Form::Whole, "whole"), (Form::Halves, "halves")] {
            let scenario = server()
                .form(form)
                .room(1)
                .cancels(1)
                .task(&[Op::Close(1000), Op::Close(1000)])
                .environment([event.clone()])
                .environment([Event::Room(2)]);
            every_schedule(&format!("{name}/{suffix}"), &scenario);
        }
    }
}
