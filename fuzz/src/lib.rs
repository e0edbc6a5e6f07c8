//! What the fuzz targets share: see README.md.

#![allow(missing_docs)]

pub mod alloc;
pub mod input;
pub mod line;
pub mod oracle;
pub mod peers;
pub mod reading;
pub mod rules;
pub mod script;
pub mod task;
pub mod utf8;
