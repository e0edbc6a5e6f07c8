//! What the crate logs, for the test to wait for.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, Once};
use std::thread::{self, ThreadId};

use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// An event or a span of this crate's.
#[derive(Clone, Debug)]
pub struct Event {
    pub level: Level,
    /// "message" is one of them.
    pub fields: BTreeMap<&'static str, String>,
    thread: ThreadId,
}

impl Event {
    /// What a field says; the empty string if there is none.
    pub fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
static SPANS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
static NEW: Notify = Notify::const_new();

/// Events go here from now on. A test sees those of its own thread, so it must be its runtime's only one.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Collector).unwrap());
}

/// Those of this test so far.
pub fn events() -> Vec<Event> {
    of_this_test(&EVENTS)
}

/// The spans of this test so far.
pub fn spans() -> Vec<Event> {
    of_this_test(&SPANS)
}

fn of_this_test(all: &Mutex<Vec<Event>>) -> Vec<Event> {
    let here = thread::current().id();
    all.lock().unwrap().iter().filter(|event| event.thread == here).cloned().collect()
}

/// The first that the test looks for.
pub async fn event(is_it: impl Fn(&Event) -> bool) -> Event {
    super::within(async {
        loop {
            let new = NEW.notified();
            tokio::pin!(new);
            new.as_mut().enable();
            if let Some(event) = events().into_iter().find(&is_it) {
                return event;
            }
            new.await;
        }
    })
    .await
}

struct Collector;

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fastwebsockets_stream")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let (level, thread) = (*event.metadata().level(), thread::current().id());
        EVENTS.lock().unwrap().push(Event { level, fields: fields.0, thread });
        NEW.notify_waiters();
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(BTreeMap::new());
        span.record(&mut fields);
        let (level, thread) = (*span.metadata().level(), thread::current().id());
        SPANS.lock().unwrap().push(Event { level, fields: fields.0, thread });
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            write!(text, ": {error}").unwrap();
            source = error.source();
        }
        self.0.insert(field.name(), text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
