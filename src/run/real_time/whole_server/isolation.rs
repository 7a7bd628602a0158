//! Whether a client that does not read, or does not finish its opening, makes others wait: the scripts.
//! Plain data.
//!
//! They may wait because the server is busy with all that is sent: so the control is the same without
//! that client, at the same load.

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
const ONE_DOES_NOT_READ: &str = "\
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

/// Two that begin to open, and one that does what a client should, and comes after them.
const TWO_ARE_OPENING: &str = "\
first 9 bytes of upgrade
2: first 9 bytes of upgrade
3: connect after 1s
3: upgrade
3: ping \"hangup\"
3: await pong
3: close 1000
";

/// The scripts.
pub(in crate::run::real_time) fn scripts() -> [Script; 2] {
    [ONE_DOES_NOT_READ, TWO_ARE_OPENING].map(|text| text.parse().expect("a script"))
}

/// How long clients are watched that play `script` at once, where they wait. Where nobody does, that
/// ends with the last of them.
pub(super) fn watched(script: &Script, bounds: &Bounds, slack: Duration) -> Duration {
    pauses(script) + bounds.close.max(PATIENCE) + slack
}

/// How long a play of each of the scripts takes at most.
pub(in crate::run::real_time) fn longest_play(limits: &PlayLimits) -> Duration {
    let all = scripts();
    let longest = all.iter().map(|script| watched(script, &limits.bounds, limits.slack)).max();
    longest.expect("there are some")
}
