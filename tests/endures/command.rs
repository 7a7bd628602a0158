//! The binary, as a child whose output is kept. It judges nothing.
