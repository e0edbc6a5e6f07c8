//! `upgrade` and `Upgrader` over HTTP/1.1.

mod accepting;
mod future;
mod peers;
mod refusing;
