//! A server whose sessions begin with a message of the client's, in process.

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::finding::repro::Repro;
use hangup::verdict::Invariant;
use hangup::{Connection, Script, Suite, Target, secs};
use std::path::Path;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const HELLO: &str = "text \"hello\"\nawait message\n";

/// Turns everybody away who does not say hello first. Behind that it forgets its deadline.
async fn session(connection: Connection) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(connection).await else { return };
    let first = tokio::time::timeout(secs(1), socket.next()).await;
    if !matches!(&first, Ok(Some(Ok(Message::Text(text)))) if text.as_str() == "hello") {
        let frame = CloseFrame { code: 4408.into(), reason: "".into() };
        let close = async {
            let _ = socket.close(Some(frame)).await;
            while let Some(Ok(_)) = socket.next().await {}
        };
        let _ = tokio::time::timeout(secs(2), close).await;
        return;
    }
    let _ = socket.send("welcome".into()).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            let _ = socket.send(message).await;
        }
    }
}

fn suite(directory: &Path) -> Suite {
    hangup::suite(session).named("greeted").findings_in(directory).scripts(400).confirm(false)
}

fn saved(directory: &Path) -> Vec<Repro> {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let texts = files.filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
    texts
        .map(|file| std::fs::read_to_string(file.path()).expect("text"))
        .map(|text| Repro::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

#[test]
fn a_preamble_reaches_what_is_behind_it_stands_in_the_file_and_is_never_shrunk() {
    let directory = tempfile::tempdir().expect("a directory");
    let echo = |suite: &Suite| {
        let target: Arc<dyn Target> = Arc::new(suite.clone().into_target());
        let script: Script = "upgrade\ntext \"again\"\nawait message\n".parse().expect("a script");
        let exchange = hangup::run::virtual_time::play(&target, &target.bounds(), &script, 0);
        let bytes = exchange.bytes(hangup::exchange::ConnectionId::FIRST).to_actor.clone();
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        (has("welcome"), has("again"), exchange.steps)
    };
    let (without, with) = (suite(directory.path()), suite(directory.path()).preamble(HELLO));
    assert_eq!(echo(&without), (false, false, Some(3)));
    assert_eq!(echo(&with), (true, true, Some(3)), "steps are the script's own");

    let failure = with.clone().try_check().expect_err("it hangs").to_string();
    assert!(failure.contains("# preamble, after the opening:"), "{failure}");
    let repros = saved(directory.path());
    let hang = repros.iter().find(|it| it.identity.invariant() == Invariant::EndsInTime);
    let hang = hang.unwrap_or_else(|| panic!("{failure}"));
    assert_eq!(hang.opening.preamble(), HELLO);
    assert!(!hang.script.to_string().contains("hello"), "{}", hang.script);
    let again = with.try_check().expect_err("it still hangs").to_string();
    assert!(again.contains("still fails as saved"), "{again}");
}

/// A server that closes by itself behind the preamble, and did not answer what the client sent: the
/// control plays the preamble too, and acquits.
#[test]
fn controls_keep_the_preamble() {
    async fn closes_by_itself(connection: Connection) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(connection).await else { return };
        let Some(Ok(Message::Text(_))) = socket.next().await else { return };
        let _ = socket.send("welcome".into()).await;
        tokio::time::sleep(secs(1)).await;
        let frame = CloseFrame { code: 4000.into(), reason: "".into() };
        let _ = socket.close(Some(frame)).await;
        let rest = async { while let Some(Ok(_)) = socket.next().await {} };
        let _ = tokio::time::timeout(secs(2), rest).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(closes_by_itself).named("by itself").preamble(HELLO);
    let suite = suite.findings_in(directory.path()).confirm(false);
    let script: Script = "upgrade\nwait 990ms\ntext \"x\"\nwait 5s\n".parse().expect("a script");
    suite.play(&script).expect("nothing answers the text");
}

#[test]
fn a_file_with_what_is_no_preamble_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let _ = suite(directory.path()).preamble(HELLO).try_check().expect_err("it hangs");
    let repro = saved(directory.path()).pop().expect("a file").to_text();
    assert!(repro.contains("[opening]\npreamble = \"\"\"\ntext \"hello\""), "{repro}");
    let error =
        Repro::parse(&repro.replace("await message\n\"\"\"", "fin\n\"\"\"")).expect_err("fin");
    assert!(error.to_string().contains("its opening: preamble: `fin`"), "{error}");
}
