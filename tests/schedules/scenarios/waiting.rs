//! Who waits for input, and how: reads of every kind, frames in parts, one task for both directions.

use super::*;

#[test]
fn one_task_for_both_directions_in_either_order() {
    for (name, first, second) in [
        ("joined-read-first", vec![READ_TO_END], vec![Op::Write(3), Op::Write(2)]),
        ("joined-write-first", vec![Op::Write(3), Op::Write(2)], vec![READ_TO_END]),
    ] {
        let scenario = server()
            .room(2)
            .cancels(1)
            .joined(&first, &second)
            .environment([peer().ping(b"p")])
            .environment([Event::Open]);
        in_each_form(name, &scenario);
    }
}

#[test]
fn one_task_that_reads_and_shuts_down_meets_the_end_of_both() {
    let scenario = server()
        .room(2)
        .shut_blocked()
        .joined(&[READ_TO_END, Op::Read(64)], &[Op::Write(1), Op::Shutdown])
        .environment([peer().close(Some(1000))])
        .environment([Event::Open, Event::ShutdownGoes]);
    in_each_form("joined-end", &scenario);
}

#[test]
fn frames_in_parts_reach_reads_of_any_size() {
    for (name, read) in
        [("parts-one", Op::ReadToEnd(1)), ("parts-small", READ_TO_END), ("parts-direct", Op::ReadToEnd(4096))]
    {
        let [a, b] = peer().data_in_two(b"abc", 1);
        let [c, d] = peer().ping_in_two(b"p");
        let scenario =
            server().room(0).task(&[Op::Read(2), read]).environment([a, b, c, d]).environment([Event::Open]);
        in_each_form(name, &scenario);
    }
}

#[test]
fn read_that_is_dropped_inside_a_frame_leaves_all_of_it_to_the_next() {
    for (name, read) in [("dropped-one", Op::ReadToEnd(1)), ("dropped-direct", Op::ReadToEnd(4096))] {
        let [a, b] = peer().data_in_two(b"ab", 0);
        let scenario =
            server().cancels(1).moves(1).task(&[Op::Read(1), read]).environment([a, b, peer().data(b"c")]);
        in_each_form(name, &scenario);
    }
}

#[test]
fn what_was_read_ahead_is_seen_while_something_is_to_be_pushed() {
    for (form, suffix) in [(Form::Whole, "whole"), (Form::Halves, "halves")] {
        let scenario = server()
            .form(form)
            .room(1)
            .task(&[Op::FillToEnd(2)])
            .task(&[Op::Write(1)])
            .environment([peer().data(b"abc"), peer().ping(b"p")])
            .environment([Event::Open]);
        every_schedule(&format!("fill/{suffix}"), &scenario);
    }
}

#[test]
fn flood_of_empty_frames_yields_and_goes_on() {
    let scenario = server()
        .read_chunk(peer_frame_len())
        .room(0)
        .task(&[READ_TO_END])
        .task(&[Op::Write(1)])
        .environment([peer().frames(b"", 70)])
        .environment([Event::Open]);
    in_each_form("flood", &scenario);
}

/// An empty frame of the peer: each costs a read of its own.
fn peer_frame_len() -> usize {
    6
}

#[test]
fn flood_of_empty_frames_does_not_keep_close_from_its_end() {
    for (form, suffix) in [(Form::Whole, "whole"), (Form::Halves, "halves")] {
        let scenario = server()
            .form(form)
            .read_chunk(peer_frame_len())
            .task(&[Op::Close(1000)])
            .environment([peer().frames(b"", 70), peer().close(Some(1000))]);
        every_schedule(&format!("flood-close/{suffix}"), &scenario);
    }
}

#[test]
fn flood_of_small_frames_does_not_keep_the_writing_half_from_its_end() {
    let scenario = server()
        .form(Form::Halves)
        .read_chunk(peer_frame_len() + 1)
        .task(&[Op::Close(1000)])
        .environment([peer().frames(b"d", 70), peer().close(Some(1000))]);
    every_schedule("flood-data-close", &scenario);
}
