//! The options of a stream, and what its tasks may be about.

use std::fmt;
use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType};
use kit::input::Input;

use crate::user::Closing;

/// What a task waits for.
pub enum Op {
    Read(usize),
    Look(usize),
    /// Slices of these lengths; one alone is an ordinary write.
    Write(Vec<usize>),
    Flush,
    Shutdown,
    /// And whether its code and reason may be sent.
    Close(Closing, bool),
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Read(room) => write!(f, "read {room}"),
            Op::Look(most) => write!(f, "look, {most} taken"),
            Op::Write(lengths) => write!(f, "write {lengths:?}"),
            Op::Flush => f.write_str("flush"),
            Op::Shutdown => f.write_str("shutdown"),
            Op::Close(..) => f.write_str("close"),
        }
    }
}

pub struct Setup {
    pub is_server: bool,
    pub is_text: bool,
    pub most: usize,
    pub write_buffer: usize,
    pub half_close: bool,
    pub abnormal_is_error: bool,
    /// Timers: keep-alive, a stall, and the time for a `close`.
    pub keep_alive: bool,
    pub stall: bool,
    pub close_limit: bool,
    /// What ends a direction comes but now and then.
    pub lasts: bool,
    /// The user drops the stream as it is.
    pub abandons: bool,
}

impl Setup {
    pub fn draw(input: &mut Input<'_>) -> Self {
        let flags = [input.byte(), input.byte()];
        let flag = |bit: usize| flags[bit / 8] >> (bit % 8) & 1 == 1;
        Setup {
            is_server: flag(0),
            is_text: flag(1),
            most: if flag(2) { 4 + input.below(60) } else { 1 << 20 },
            write_buffer: if flag(3) { 1 + input.below(300) } else { 0 },
            half_close: !flag(4),
            abnormal_is_error: !flag(5),
            keep_alive: flag(6) && flag(7),
            stall: flag(6) && flag(8),
            close_limit: flag(6),
            lasts: flag(9),
            abandons: flag(10),
        }
    }

    pub fn config(&self) -> Config {
        let mut config = Config::new(if self.is_text { PayloadType::Text } else { PayloadType::Binary })
            .max_frame_len(Some(self.most))
            .write_buffer(self.write_buffer)
            .half_close(self.half_close)
            .abnormal_close_is_error(self.abnormal_is_error)
            .close_timeout(if self.close_limit { Duration::from_secs(10) } else { Duration::MAX });
        if self.keep_alive {
            config = config.keep_alive(Duration::from_secs(5));
        }
        if self.stall { config.stall_timeout(Duration::from_secs(7)) } else { config }
    }
}
