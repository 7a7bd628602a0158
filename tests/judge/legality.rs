//! `refuses-illegal` and `accepts-legal`: what is illegal is refused, what is legal is not.

use crate::story::{BYE, PING, Story, close, masked};
use hangup::verdict::Invariant;
use hangup::wire::Opcode;

#[test]
fn who_looks_at_a_header_may_refuse_what_the_rest_of_the_frame_would_show() {
    let half = |frame| Story::open().client_bytes(&masked(frame)[..2]).server_reads_all();
    let refusal = close(1002, b"");
    let refused = half((Opcode::CLOSE, b"x")).server((Opcode::CLOSE, &refusal));
    refused.server_drops().is_clean();
    let cut = Story::open().server(BYE).client_bytes(&masked((Opcode::CLOSE, b"x"))[..2]);
    cut.server_reads_all().server_drops().is_clean();
    let blamed = Story::open().client(PING).server_reads_all().server((Opcode::CLOSE, &refusal));
    blamed.server_drops().breaks(Invariant::AcceptsLegal);
}
