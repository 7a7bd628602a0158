//! `echoes-code` and `lets-the-polite-finish`: how a server treats a client that behaves.

use crate::story::{BYE, Story};
use hangup::trace::What;
use hangup::verdict::Invariant;

#[test]
fn a_fin_or_the_clients_reset_right_behind_the_own_close_is_no_cut_and_a_drop_is() {
    let closing = || Story::open().server(BYE);
    let shut = closing().then(What::Shut);
    shut.clone().at(1000).client(BYE).server_reads_all().server_drops().is_clean();
    closing().then(What::ResetArrived).server_drops().is_clean();
    for story in [shut, closing()] {
        story.server_drops().breaks(Invariant::LetsThePoliteFinish);
    }
}
