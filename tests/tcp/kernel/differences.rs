//! Each way in which the link differs from the kernel, pinned: a row of the table in
//! `docs/internals.md` that is no longer true fails here.

use super::{Explained, explained};

#[test]
fn the_link_blocks_where_its_small_buffers_are_full() {
    for full in ["client write 17; client write 1", "server write 17; server write 1"] {
        let sequence = format!("buffers 16 16 16; {full}");
        let differs = full.starts_with("client");
        assert_eq!(explained(&sequence), [Explained::BlocksSooner][..usize::from(differs)]);
    }
}

#[test]
fn the_servers_reset_destroys_what_the_client_had_not_read_and_a_fin_behind_it() {
    for shut in ["", "server shut; "] {
        for look in ["client drain; client write 1", "client write 1; client drain"] {
            let sequence = format!("server write 5; {shut}client write 1; server drop; {look}");
            assert_eq!(explained(&sequence), [Explained::ResetLosesUnread], "{sequence}");
        }
    }
}

#[test]
fn the_clients_bytes_and_its_fin_arrive_at_once() {
    let sequence = "client fill; client shut; client reset; server write 1";
    assert_eq!(explained(sequence), [Explained::FinInFlight]);
    let sequence = "client fill; client shut; client reset; server drain";
    assert_eq!(explained(sequence), [Explained::FinInFlight]);
}
