//! One run, and whether it ended as the contract has it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fastwebsockets_stream::{Client, Upgrader};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, timeout};

use crate::network::{Fate, Network};
use crate::plan::{Plan, config};
use crate::users::{self, Report, Told, User};

/// Longer than all limits together, and than any transfer takes: who waits then waits for ever.
const BOUND: Duration = Duration::from_secs(4000);

pub struct Outcome {
    pub verdict: Result<(), String>,
    /// How many bytes each direction has taken, in all and when the client had its stream.
    pub passed: [usize; 2],
    pub handshake: [usize; 2],
    pub reports: [Report; 2],
    pub took: Duration,
    pub happened: Option<Fate>,
}

pub fn run(plan: &Plan) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let told: [Told; 2] = Default::default();
    let handshake = Rc::new(Cell::new([0; 2]));
    let local = LocalSet::new();
    let (network, took) = local.block_on(&runtime, async {
        let (network, [near, far]) = Network::new(plan.traits, plan.disaster, plan.seed);
        let started = Instant::now();
        let config = config(plan.write_buffer);
        let client = {
            let (plan, told, config) = (plan.clone(), told[0].clone(), config.clone());
            let (network, handshake) = (network.clone(), handshake.clone());
            spawn_local(async move {
                match Client::new(config).over(near, "ws://example.com/faults").await {
                    Ok((stream, _)) => {
                        handshake.set(network.borrow().passed);
                        told.borrow_mut().opened = true;
                        users::run(plan.users[0], plan.manners[0], 0, stream, told).await;
                    }
                    Err(error) => users::failed(&told, "connect", &error.into()),
                }
            })
        };
        let server = {
            let (plan, told) = (plan.clone(), told[1].clone());
            spawn_local(async move {
                match Upgrader::new(config).over(far).await {
                    Ok(opened) => {
                        told.borrow_mut().opened = true;
                        users::run(plan.users[1], plan.manners[1], 1, opened.stream, told).await;
                    }
                    Err(error) => users::failed(&told, "accept", &error),
                }
            })
        };
        let both = async {
            client.await.map_err(|error| format!("the client: {error}"))?;
            server.await.map_err(|error| format!("the server: {error}"))
        };
        let ended = timeout(BOUND, both).await;
        if let Ok(Err(panic)) = ended {
            told[0].borrow_mut().errors.push(("panic", std::io::ErrorKind::Other));
            eprintln!("{panic}");
        }
        (network, started.elapsed())
    });
    drop(local);
    let (passed, happened) = (network.borrow().passed, network.borrow().happened);
    let reports =
        told.map(|told| Rc::into_inner(told).map_or_else(Report::default, |told| told.into_inner()));
    let verdict = judge(plan, &reports, took, &network.borrow());
    Outcome { verdict, passed, handshake: handshake.get(), reports, took, happened }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn judge(plan: &Plan, reports: &[Report; 2], took: Duration, network: &Network) -> Result<(), String> {
    ensure(took < BOUND, || "somebody waits for ever".into())?;
    for (end, report) in reports.iter().enumerate() {
        let panics = report.errors.iter().any(|(what, _)| *what == "panic");
        ensure(!panics, || "it panics".into())?;
        let told = report.finished || !report.errors.is_empty();
        ensure(told, || format!("end {end} has ended without a word"))?;
    }
    for end in [0, 1] {
        judge_direction(plan, end, &reports[end], &reports[1 - end])?;
        judge_waiting(plan, end, &reports[end], network)?;
    }
    let orderly = |user: &User| !matches!(user, User::Leaves(_) | User::Stalls);
    if network.happened.is_none() && plan.users.iter().all(orderly) {
        for (end, report) in reports.iter().enumerate() {
            ensure(report.opened && report.clean && report.errors.is_empty() && !report.gave_up, || {
                format!("nothing happened, and end {end} has failed")
            })?;
        }
    }
    Ok(())
}

/// What `end` has got of what the other end has written.
fn judge_direction(plan: &Plan, end: usize, reader: &Report, writer: &Report) -> Result<(), String> {
    let (got, accepted) = (&reader.got, &writer.accepted);
    let offered = [&accepted[..], &writer.refused].concat();
    ensure(offered.starts_with(got), || format!("end {end} has read what was never written"))?;
    // A close throws away what comes.
    let reads = !matches!(plan.users[end], User::Closes(..));
    // One who stalls may be gone before its stream is, which then answers the Close.
    let was_ended = writer.ended || plan.users[1 - end] == User::Stalls;
    ensure(!reads || !reader.clean || was_ended, || {
        format!("end {end} has a clean end that the other one never asked for")
    })?;
    if !reads || got.len() >= accepted.len() {
        return Ok(());
    }
    ensure(!reader.clean, || {
        format!("end {end} has read {} of {} bytes, and a clean end", got.len(), accepted.len())
    })?;
    let leaves = |end: usize| matches!(plan.users[end], User::Leaves(_) | User::Stalls);
    let knows = !reader.errors.is_empty() || reader.gave_up;
    ensure(knows || leaves(end), || {
        format!("end {end} has got {} of {} bytes, and no error", got.len(), accepted.len())
    })?;
    // The writer knows too, unless it has the peer's own clean end: then, as over TCP, there is nothing more to come that
    // could tell.
    let knows = !writer.errors.is_empty() || writer.gave_up || writer.clean;
    ensure(knows || leaves(1 - end), || {
        format!("end {} was told nothing of the {} bytes that are lost", 1 - end, accepted.len() - got.len())
    })
}

/// Only one who has sent its Close may wait longer than the stream's own limits, and only for a peer that says nothing.
fn judge_waiting(plan: &Plan, end: usize, report: &Report, network: &Network) -> Result<(), String> {
    let is_silent = network.happened == Some(Fate::Silence) || plan.users[1 - end] == User::Stalls;
    let may_wait = report.ended && is_silent;
    ensure(!report.gave_up || may_wait, || format!("no limit has ended the wait of end {end}"))
}
