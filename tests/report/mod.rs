//! What is told of a connection: the timeline.

mod capture;
mod problems;
mod seen;
mod timeline;
