//! Whether a server can be tested at all: does it keep a client that opens and does nothing wrong?
//!
//! A server that answers 101 and hangs up on everybody keeps most rules of closing, since there is
//! hardly a connection to close. Two polite scripts tell, in virtual time and over TCP alike.

use super::control_play::PlayScript;
use crate::exchange::{ConnectionId, Exchange};
use crate::script::Script;
use crate::view::View;
use std::time::Duration;

/// A client that opens and only waits, and one that opens and sends a text.
const POLITE: [&str; 2] = ["upgrade\nwait 1s\n", "upgrade\ntext \"x\"\nwait 1s\n"];

/// So soon after the opening nobody has a reason to end a connection without a word.
const SOON: Duration = Duration::from_secs(1);

/// Why a server could not be tested.
pub(crate) const SENT_AWAY: &str = "it opens a WebSocket and ends the connection within 1 s without a Close, of a client that only \
     waits and of one that sends a text; does it need a path, a header or a subprotocol that it \
     is not given?";

/// The scripts of the polite clients.
pub(crate) fn polite() -> impl Iterator<Item = Script> {
    POLITE.iter().map(|script| script.parse().expect("they are scripts"))
}

/// Whether all of the polite clients are sent away; those that come next are not asked once one
/// is not.
pub(crate) fn sends_everybody_away<E>(play: &mut PlayScript<'_, E>) -> Result<bool, E> {
    for script in polite() {
        if !is_sent_away(&play(&script)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the server opened a connection, and ended it soon after that, without a Close and
/// without a panic. What is wrong with the opening itself is a finding.
pub(crate) fn is_sent_away(exchange: &Exchange) -> bool {
    let view = View::of(exchange, ConnectionId::FIRST);
    let (Some(opened), Some(ended)) = (view.opened, view.ended()) else { return false };
    let is_by_server = Some(ended) != view.firsts.reset;
    let is_soon = view.at(ended) <= view.at(opened).after(SOON);
    // Of what its runtime lacks, the campaign says more.
    let is_well = view.firsts.panicked.is_none()
        && view.firsts.lacked.is_none()
        && view.firsts.died.is_none()
        && view.accepts_the_key() != Some(false);
    is_by_server && is_soon && is_well && view.own_close().is_none()
}
