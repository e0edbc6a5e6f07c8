//! A WebSocket that behaves like a `TcpStream`.

#![forbid(unsafe_code)]

mod buffer;
mod config;
mod error;
mod frame;
mod protocol;
mod stream;

pub use config::{Config, PayloadType};
pub use error::Error;
pub use frame::close::CloseFrame;
pub use stream::{Parts, WebSocketStream};

pub use fastwebsockets::{CloseCode, OpCode, Role};
