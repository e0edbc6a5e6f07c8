//! Reader and writer push through one write side: Pongs, kept bytes, flushes.

use super::*;

#[test]
fn frames_and_pongs_leave_while_the_transport_takes_a_few_bytes_at_a_time() {
    let scenario = server()
        .room(0)
        .task(&[READ_TO_END])
        .task(&[Op::Write(3), Op::Write(2)])
        .environment([peer().ping(b"p")])
        .environment([Event::Room(2), Event::Open]);
    in_each_form("few-bytes", &scenario);
    every_schedule("few-bytes/split", &scenario.form(Form::Split));
}

#[test]
fn client_pushes_its_masked_frames_in_any_order_too() {
    let scenario = Scenario::new(Role::Client)
        .room(3)
        .task(&[READ_TO_END])
        .task(&[Op::Write(3), Op::Flush])
        .environment([Scenario::peer(Role::Client).ping(b"p")])
        .environment([Event::Open]);
    in_each_form("client", &scenario);
}

#[test]
fn call_that_is_dropped_while_both_wait_leaves_the_other_one_awake() {
    let scenario = server()
        .room(3)
        .cancels(1)
        .task(&[Op::Read(64), Op::Read(64)])
        .task(&[Op::Write(2), Op::Write(1)])
        .environment([peer().ping(b"p")])
        .environment([Event::Open]);
    in_each_form("cancel", &scenario);
}

#[test]
fn writer_that_is_dropped_leaves_the_pushing_to_the_reader() {
    let scenario = server()
        .room(1)
        .cancels(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(4), Op::Flush])
        .environment([Event::Open])
        .environment([peer().ping(b"")]);
    in_each_form("cancelled-flush", &scenario);
}

#[test]
fn flush_that_waits_is_everybodys() {
    let scenario = server()
        .flush_blocked()
        .cancels(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(1), Op::Flush])
        .environment([peer().ping(b"p")])
        .environment([Event::FlushGoes]);
    in_each_form("flush", &scenario);
}

#[test]
fn tasks_that_go_on_elsewhere_are_woken_there() {
    let scenario = server()
        .room(1)
        .moves(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(2), Op::Write(1)])
        .environment([peer().ping(b"")])
        .environment([Event::Open]);
    in_each_form("elsewhere", &scenario);
}

#[test]
fn two_pings_and_a_writer_that_waits() {
    let scenario = server()
        .room(2)
        .task(&[Op::ReadToEnd(5000)])
        .task(&[Op::Write(2), Op::Write(1)])
        .environment([peer().ping(b"1"), peer().ping(b"2")])
        .environment([Event::Open]);
    in_each_form("pings", &scenario);
}

#[test]
fn frames_that_are_gathered_leave_with_the_flush_or_the_reader() {
    let scenario = server()
        .gathers(8)
        .room(2)
        .task(&[READ_TO_END])
        .task(&[Op::Write(2), Op::Write(9), Op::Write(1), Op::Flush])
        .environment([peer().ping(b"")])
        .environment([Event::Open]);
    in_each_form("gathered", &scenario);
}

#[test]
fn large_frame_that_is_not_copied_is_kept_for_the_reader() {
    let scenario = server()
        .room(1000)
        .cancels(1)
        .task(&[READ_TO_END])
        .task(&[Op::Write(16 * 1024), Op::Write(1)])
        .environment([Event::Open]);
    in_each_form("large", &scenario);
}
