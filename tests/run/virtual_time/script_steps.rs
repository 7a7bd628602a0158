//! The steps of a script: waits, joined sends, commands to the application, reading.

use crate::run::virtual_time::{Acting, holding, play, server, ticking};
use hangup::exchange::{ConnectionId, Note, Time, What};
use hangup::target::{AppSteps, Connection, Target};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[test]
fn a_wait_for_what_never_comes_ends_the_script_and_not_the_test() {
    for awaited in ["upgrade", "close", "message", "pong", "end"] {
        let played = play(&holding(), &format!("raw \"a\"\nawait {awaited}\nraw \"b\"\nfin"));
        assert_eq!(played.arrived(), [1], "await {awaited}");
        assert_eq!(played.time_of(&What::Froze), Some(Time(60_000_000)));
        assert_eq!(played.time_of(&What::FinArrived), None);
    }
}

#[test]
fn joined_sends_arrive_as_one_segment_and_others_apart() {
    let apart = play(&holding(), "raw \"ab\"\nraw \"cd\"\nraw \"ef\"");
    assert_eq!(apart.arrived(), [2, 2, 2]);
    let joined = play(&holding(), "raw \"ab\"\n+ raw \"cd\"\n+ raw \"ef\"");
    assert_eq!(joined.arrived(), [6]);
    assert_eq!(joined.exchange.bytes(ConnectionId::FIRST).to_subject, b"abcdef");
}

#[test]
fn a_joined_command_is_there_when_the_bytes_before_it_are_read() {
    let target = server(|mut io| async move {
        let application = io.application();
        io.read_u8().await.expect("a client that sends");
        let mut command = pin!(application.command());
        let both = poll_fn(|cx| Poll::Ready(command.as_mut().poll(cx).is_ready())).await;
        io.write_all(if both { b"both" } else { b"one" }).await.expect("an open connection");
    });
    assert_eq!(
        play(&target, "raw \"x\"\n+ app close 1000").exchange.bytes(ConnectionId::FIRST).to_actor,
        b"both"
    );
    assert_eq!(
        play(&target, "raw \"x\"\napp close 1000").exchange.bytes(ConnectionId::FIRST).to_actor,
        b"one"
    );
    let target = server(|mut io| async move {
        io.application().command().await;
        let mut byte = [0];
        let mut read = pin!(io.read(&mut byte));
        let both = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_ready())).await;
        io.application().note(Note::Received { bytes: both.into() });
    });
    let received =
        |script, bytes| play(&target, script).time_of(&What::Noted(Note::Received { bytes }));
    assert!(received("app close 1000\n+ raw \"x\"", 1).is_some());
    assert!(received("app close 1000\nraw \"x\"", 0).is_some());
}

#[test]
fn an_application_is_sent_only_the_commands_that_its_target_obeys() {
    let script = "app send text \"a\"\napp ping\napp close 1000\napp return";
    for (obeys, obeyed) in
        [(AppSteps::NONE, 0), (AppSteps::PING | AppSteps::CLOSE, 2), (AppSteps::ALL, 4)]
    {
        let target: Arc<dyn Target> = Arc::new(Acting(obeys, |mut io: Connection| async move {
            loop {
                io.application().command().await;
                io.write_all(b"x").await.expect("an open connection");
            }
        }));
        assert_eq!(
            play(&target, script).exchange.bytes(ConnectionId::FIRST).to_actor.len(),
            obeyed
        );
    }
}

#[test]
fn a_frozen_client_keeps_its_reading_policy() {
    let deaf = play(&ticking(Duration::from_secs(1), 3), "stop reading\nfin");
    assert_eq!(deaf.actor_read(1), None);
    let hearing = play(&ticking(Duration::from_secs(1), 3), "stop reading\nresume reading\nfin");
    assert_eq!(hearing.actor_read(1), Some(Time(1_000_000)));
}
