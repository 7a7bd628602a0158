//! `closes-once`.

use crate::story::{BYE, Story, close, own_closes, plain};
use hangup::judge::judge;
use hangup::verdict::{Invariant, Level};
use hangup::wire::Opcode;

#[test]
fn a_second_close_is_one_too_many_and_of_two_illegal_ones_the_worse_is_reported() {
    for story in own_closes() {
        story.clone().later(1000).server_drops().is_clean();
        story.clone().server_bytes(&plain(BYE)[..4]).later(1000).server_drops().is_clean();
        let twice = story.server(BYE).later(1000).server_drops().breaks(Invariant::ClosesOnce);
        assert_eq!((twice.level, twice.events.len()), (Level::Should, 2));
    }
    let [odd, worse] = [2000, 1006].map(|code| close(code, b""));
    let story = Story::open().server((Opcode::CLOSE, &odd)).server((Opcode::CLOSE, &worse));
    assert_eq!(story.broken(), [Invariant::ClosesOnce, Invariant::LegalClose]);
    assert_eq!(judge(&story.exchange, &story.bounds).violations[1].level, Level::Must);
}
