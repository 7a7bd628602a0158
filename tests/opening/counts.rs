//! How far scripts got, and what had no effect.

use super::flat;
use hangup::run::campaign::{Campaign, CampaignOutcome};
use hangup::script::Command;
use hangup::verdict::Cause;
use hangup::wire::handshake;
use hangup::{AppSteps, Connection, Registry, Target};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn campaign(target: &Arc<dyn Target>, scripts: u64) -> CampaignOutcome {
    let campaign =
        Campaign { bounds: target.bounds(), seed: 3, scripts: Some(scripts), all_variants: false };
    campaign.run(target, |_| ControlFlow::Continue(()))
}

#[test]
fn a_campaign_counts_what_its_scripts_reached() {
    let registry = Registry::built_in();
    let target = registry.find("reference").expect("built in");
    let reach = campaign(target, 600).reach;
    assert_eq!(reach.scripts, 600);
    assert!((450..570).contains(&reach.opened), "{reach:?}");
    assert!((200..reach.opened).contains(&reach.closed), "{reach:?}");
    let of = |cause| reach.ended().find(|(one, _)| *one == cause).map_or(0, |(_, scripts)| scripts);
    for cause in [Cause::ClientClose, Cause::OwnClose, Cause::ClientViolation, Cause::ClientFin] {
        assert!(of(cause) > 10, "{cause:?}: {reach:?}");
    }
    let ended: u64 = reach.ended().map(|(_, scripts)| scripts).sum();
    assert!(ended + reach.ended_unowed <= 600, "{reach:?}");
    assert_eq!(reach.without_effect(AppSteps::ALL), []);
}

/// The reference server, which is never told what its application is told.
async fn deaf(conn: Connection) {
    let registry = Registry::built_in();
    let server = Arc::clone(registry.find("reference").expect("built in"));
    server.serve(Connection::over(conn)).await;
}

#[test]
fn a_suite_whose_application_takes_no_command_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(deaf).findings_in(directory.path()).scripts(600).confirm(false);
    assert_eq!(suite.clone().try_check(), Ok(()));
    let failure = suite.obeying(AppSteps::CLOSE).try_check().expect_err("it never closes");
    let failure = flat(&failure.to_string());
    for part in ["is hardly tested", "`.obeying(AppSteps::CLOSE)`", "command()`", "`CLOSE` out of"]
    {
        assert!(failure.contains(part), "{failure}");
    }
}

/// Closes as soon as it is open, as a server does whose channel of commands has lost its sender.
async fn hasty(mut conn: Connection) {
    let closes = async {
        let (mut request, mut accept) = (Vec::new(), None);
        while accept.is_none() {
            if conn.read_buf(&mut request).await.unwrap_or_default() == 0 {
                return;
            }
            match handshake::request(&request) {
                Ok(found) => accept = found.map(|(_, accept)| accept),
                Err(_) => return,
            }
        }
        let opening = handshake::switching_protocols(&accept.expect("it was asked"));
        let close = [0x88, 2, 0x03, 0xe9];
        if conn.write_all(&[opening.as_bytes(), &close].concat()).await.is_ok() {
            let _ = tokio::io::copy(&mut conn, &mut tokio::io::sink()).await;
        }
    };
    let _ = tokio::time::timeout(hangup::secs(3), closes).await;
}

#[test]
fn a_suite_whose_application_closes_before_it_is_told_to_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(hasty).findings_in(directory.path()).scripts(600).confirm(false);
    assert_eq!(suite.clone().try_check(), Ok(()));
    let failure = suite.obeying(AppSteps::CLOSE).try_check().expect_err("it is hasty").to_string();
    let failure = flat(&failure);
    for part in ["closed before the command came in ", "takes the closed channel for a shutdown."] {
        assert!(failure.contains(part), "{failure}");
    }
}

#[test]
fn a_suite_that_hardly_opens_is_told_so() {
    let served = AtomicU32::new(0);
    let served = Arc::new(served);
    let server = move |mut conn: Connection| {
        let served = Arc::clone(&served);
        async move {
            if served.fetch_add(1, Ordering::Relaxed) < 4 {
                return deaf(conn).await;
            }
            let _ = conn.read(&mut [0; 4096]).await;
        }
    };
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(server).findings_in(directory.path()).scripts(300).confirm(false);
    let failure = flat(&suite.try_check().expect_err("it opens four times").to_string());
    assert!(failure.contains("scripts opened a WebSocket, although a polite client"), "{failure}");
}

/// Takes the command, and does what it says in no case.
async fn reads_commands(conn: Connection) {
    let application = conn.application();
    tokio::spawn(async move { while !matches!(application.command().await, Command::Keep) {} });
    deaf(conn).await;
}

#[test]
fn a_command_that_is_taken_had_an_effect() {
    let target = hangup::suite(reads_commands).obeying(AppSteps::CLOSE).into_target();
    let target: Arc<dyn Target> = Arc::new(target);
    let reach = campaign(&target, 200).reach;
    assert_eq!(reach.without_effect(AppSteps::CLOSE), [], "{reach:?}");
}
