//! Whether a client that does not read makes others wait: the script. Plain data.
//!
//! They may wait because the server is busy with all that is sent: so the control is the same without
//! the client that does not read, at the same load.

use crate::bounds::Bounds;
use crate::run::real_time::player::PlayLimits;
use crate::run::real_time::remote_subject::pauses;
use crate::script::Script;
use std::time::Duration;

/// How long clients beside one that does not read are watched at least: a busy machine takes its
/// time too.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// How long clients are watched that play `script` at once, where they wait. Where nobody does, that
/// ends with the last of them.
pub(super) fn watched(script: &Script, bounds: &Bounds, slack: Duration) -> Duration {
    pauses(script) + bounds.close.max(PATIENCE) + slack
}

/// How long a play of the script takes at most.
pub(in crate::run::real_time) fn longest_play(limits: &PlayLimits) -> Duration {
    watched(&script(), &limits.bounds, limits.slack)
}
