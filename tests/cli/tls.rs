//! What a build without the feature `tls` says of `wss://`. With it: `tests/tcp/tls.rs` and `tests/tcp/tls/`.

use crate::cli::Desk;

#[test]
fn a_build_without_tls_says_how_to_get_one_that_speaks_it() {
    let desk = Desk::new();
    desk.write("accepts", "accept\nclose 1000\n");
    for command in
        ["probe wss://localhost:1/", "listen --tls --run true", "replay accepts --tls --run true"]
    {
        let run = desk.hangup(command);
        let refusal = run.refusal();
        assert!(
            refusal
                .contains("built without TLS; rebuild it: cargo install --path . --features tls"),
            "{command}: {refusal}"
        );
    }
}
