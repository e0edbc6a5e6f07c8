//! What the fuzz targets hold the library against, apart from them so that the fuzzer follows the library alone: see ../README.md.

pub mod alloc;
pub mod http;
pub mod input;
pub mod line;
pub mod oracle;
pub mod peers;
pub mod rules;
pub mod script;
pub mod task;
pub mod utf8;
