//! What is told of a connection: the timeline.

mod problems;
mod seen;
mod timeline;
