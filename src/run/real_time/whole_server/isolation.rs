//! Whether a client that does not read makes others wait: the script. Plain data.
//!
//! They may wait because the server is busy with all that is sent: so the control is the same without
//! the client that does not read, at the same load.

use crate::script::Script;

/// One that does what a client should, one that does not read, and one that sends what a server may
/// pass on: more than buffers on the way hold.
const SCRIPT: &str = "\
upgrade
wait 2s
ping \"hangup\"
await pong
close 1000
2: upgrade
2: text 64KiB x 96
2: close 1000
3: upgrade
3: stop reading
";

/// The script.
pub(in crate::run::real_time) fn script() -> Script {
    SCRIPT.parse().expect("a script")
}
