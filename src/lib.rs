//! A WebSocket that behaves like a `TcpStream`.

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
