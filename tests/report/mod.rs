//! What is told of a connection: the timeline.

mod problems;
mod timeline;
