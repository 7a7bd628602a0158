//! What is told of a connection: the timeline.

mod capture;
mod pages;
mod problems;
mod seen;
mod state_of_closing;
mod timeline;
