//! The command line over real servers: hangup's own, and `matrix` in front of it.

mod matrix;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|argument| argument == "matrix") {
        return matrix::main();
    }
    hangup::cli::main(hangup_peers::registry())
}
