//! The client: what it sends, what it takes for an answer, and how it gets there.

mod answers;
mod connector;
mod dialling;
mod http2;
mod http2_end;
mod http2_reopen;
mod proxies;
mod refusals;
mod requests;
mod strangers;
mod tls;
