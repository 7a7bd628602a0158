//! Files that a fuzzer left before a kind of step was added read and fail as they did. hangup's own tests are
//! compiled with such a kind, [`Act::Idle`](crate::script::Act::Idle), that the library does not have.

use super::Fuzz;
use crate::script::Script;
use crate::target::Registry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

#[test]
fn a_crash_file_of_before_a_step_kind_was_added_still_reproduces() {
    assert!("idle".parse::<Script>().is_ok());
    let mut played = 0;
    for target in
        ["tungstenite/no-deadline", "reference/no-deadline", "reference/reads-the-end-again"]
    {
        let artifacts = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/artifacts")
            .join(target.replace('/', "-"));
        for artifact in std::fs::read_dir(artifacts).expect("a directory") {
            let path = artifact.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("an artifact");
            let directory = tempfile::tempdir().expect("a directory");
            let prefix = format!("-artifact_prefix={}/", directory.path().display());
            let fuzz = Fuzz::new(Arc::clone(Registry::built_in().find(target).expect(target)))
                .with_arguments(["fuzz".to_owned(), prefix, "-runs=1".to_owned()]);
            let told = catch_unwind(AssertUnwindSafe(|| fuzz.script(&bytes)));
            assert!(told.is_err(), "{} on {target}", path.display());
            let script: Script =
                std::str::from_utf8(&bytes).expect("text").parse().expect("a script");
            assert_eq!(script.to_string().as_bytes(), bytes, "it reads as it was written");
            played += 1;
        }
    }
    assert!(played > 3, "{played}");
}
