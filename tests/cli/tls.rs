//! What a build without the feature `tls` says of `wss://`. With it: `tests/tcp/tls.rs`.

use crate::cli::Desk;

#[test]
fn a_build_without_tls_says_how_to_get_one_that_speaks_it() {
    let run = Desk::new().hangup("probe wss://localhost:1/");
    let refusal = run.refusal();
    assert!(
        refusal.contains("built without TLS; rebuild it: cargo install --path . --features tls"),
        "{refusal}"
    );
}
