//! `upgrade` and `Upgrader` over HTTP/1.1.

mod accepting;
mod closing;
mod future;
mod peers;
mod refusing;
