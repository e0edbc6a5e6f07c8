//! The client: what it sends, what it takes for an answer, and how it gets there.

mod alerts;
mod answers;
mod connector;
mod cryptography;
mod dialling;
mod http2;
mod http2_end;
mod http2_reopen;
mod logging;
mod one_type;
mod proxies;
mod refusals;
mod requests;
mod rules;
mod socks;
mod strangers;
mod tls;
mod tunnels;
