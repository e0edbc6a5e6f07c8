//! The scenarios, by what they are about.

mod closing;
mod failing;
mod halves;
mod pushing;
mod waiting;

use fastwebsockets_stream::Role;

use crate::ends::{Form, Op};
use crate::every_schedule;
use crate::scenario::{Event, Peer, Scenario};

/// Each form in which two tasks share a stream. `tokio::io::split` adds nothing but a lock, see `pushing`.
const FORMS: [(Form, &str); 2] = [(Form::Whole, "whole"), (Form::Halves, "halves")];

const SERVER: Role = Role::Server;

fn server() -> Scenario {
    Scenario::new(SERVER)
}

/// What the server's peer sends.
fn peer() -> Peer {
    Scenario::peer(SERVER)
}

/// Runs a scenario in each form.
fn in_each_form(name: &str, scenario: &Scenario) {
    for (form, suffix) in FORMS {
        every_schedule(&format!("{name}/{suffix}"), &scenario.clone().form(form));
    }
}

const READ_TO_END: Op = Op::ReadToEnd(64);
