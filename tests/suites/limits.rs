//! What virtual time does not have: said as the harness's limit, and not as the server's panic.

use hangup::target::Deviation;
use hangup::verdict::{Invariant, Pattern};
use hangup::{Connection, Script, Suite};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Answers any request with the 101, and then does `work` until it ends.
async fn once_open(mut conn: Connection, work: impl Future<Output = ()> + Send) {
    let mut bytes = [0; 1024];
    let _ = conn.read(&mut bytes).await;
    let accept = hangup::wire::handshake::switching_protocols(hangup::wire::handshake::ACCEPT);
    let _ = conn.write_all(accept.as_bytes()).await;
    work.await;
}

/// The failure of a suite and of one script, each in one line.
fn failures(suite: &Suite) -> [String; 2] {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = suite.clone().findings_in(directory.path()).named("mine").scripts(300);
    let script: Script = "upgrade\ntext \"x\"\n".parse().expect("a script");
    [suite.try_check(), suite.play(&script)]
        .map(|result| super::words(&result.expect_err("it cannot be judged").to_string()))
}

fn is_said_to_need(suite: Suite, needs: &str, way_out: &str) {
    for failure in failures(&suite.confirm(false)) {
        assert!(failure.contains("mine cannot be judged"), "{failure}");
        let said = format!("the server needs {needs}, which virtual time does not have: {way_out}");
        assert!(failure.contains(&said), "{failure}");
        assert!(failure.contains("hangup probe"), "{failure}");
        assert!(!failure.contains("no-panic") && !failure.contains("ends-in-time"), "{failure}");
    }
}

const IO: &str = "I/O (`tokio::net`, `process`, `signal`)";

#[test]
fn a_server_that_opens_sockets_needs_io() {
    let fake = "give the server a fake";
    is_said_to_need(
        hangup::suite(|conn| {
            once_open(conn, async {
                let _ = tokio::net::TcpStream::connect("127.0.0.1:9").await;
            })
        }),
        IO,
        fake,
    );
    is_said_to_need(
        hangup::suite(|conn| {
            once_open(conn, async {
                // In a task, and its panic handed on.
                let task = tokio::spawn(tokio::net::UdpSocket::bind("127.0.0.1:0"));
                task.await.expect("the task ends").expect("a port");
            })
        }),
        IO,
        fake,
    );
}

#[test]
fn a_server_that_blocks_in_place_needs_more_threads() {
    let serve = |conn| {
        once_open(conn, async {
            tokio::task::block_in_place(|| ());
        })
    };
    is_said_to_need(
        hangup::suite(serve),
        "a multi-threaded runtime (`block_in_place`)",
        "use `spawn_blocking`",
    );
}

#[test]
fn a_server_that_spawns_locally_needs_a_local_set() {
    let serve = |conn| {
        once_open(conn, async {
            drop(tokio::task::spawn_local(async {}));
        })
    };
    is_said_to_need(
        hangup::suite(serve),
        "a `LocalSet` (`spawn_local`)",
        "serve it in a `LocalSet`",
    );
}

#[test]
fn no_deviation_accepts_what_nobody_could_judge() {
    let serve = |conn| {
        once_open(conn, async {
            tokio::task::block_in_place(|| ());
        })
    };
    let panics = Deviation {
        pattern: Pattern::of(Invariant::NoPanic),
        reason: "this test",
        rfc: "-",
        rate: None,
    };
    is_said_to_need(
        hangup::suite(serve).accepting(panics),
        "a multi-threaded runtime (`block_in_place`)",
        "use `spawn_blocking`",
    );
}

/// It panics in any runtime of tokio's.
#[test]
fn a_runtime_within_the_runtime_is_the_servers_own_panic() {
    let serve = |conn| {
        once_open(conn, async {
            tokio::runtime::Handle::current().block_on(async {});
        })
    };
    for failure in failures(&hangup::suite(serve)) {
        assert!(failure.contains("no-panic"), "{failure}");
        assert!(failure.contains("Cannot start a runtime from within a runtime"), "{failure}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
    let block = async { tokio::runtime::Handle::current().block_on(async {}) };
    assert!(runtime.block_on(runtime.spawn(block)).is_err(), "not hangup's limit alone");
}

/// Keeps every rule.
async fn closes_well(connection: Connection) {
    let registry = hangup::Registry::built_in();
    let server = std::sync::Arc::clone(registry.find("reference").expect("built in"));
    hangup::Target::serve(&*server, connection).await;
}

async fn hangs(conn: Connection) {
    once_open(conn, std::future::pending()).await;
}

fn hanging() -> Suite {
    hangup::suite(hangs).named("mine").confirm(false).scripts(300)
}

#[tokio::test]
async fn a_suite_is_played_within_a_runtime_of_one_thread() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hanging().findings_in(directory.path());
    let within = suite.try_check().expect_err("it hangs");
    let script: Script = "upgrade\ntext \"x\"\nfin\n".parse().expect("a script");
    assert!(suite.play(&script).is_err());
    assert_eq!(hangup::suite(closes_well).scripts(10).try_check(), Ok(()));
    // The same as outside of one.
    let elsewhere = tempfile::tempdir().expect("a directory");
    let outside = std::thread::spawn(move || hanging().findings_in(elsewhere.path()).try_check());
    let outside = outside.join().expect("it ends").expect_err("it hangs");
    let of = |text: String| text.lines().take(20).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of(within.to_string()), of(outside.to_string()));
    // The runtime goes on.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suite_is_played_within_a_runtime_of_several_threads() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let task = tokio::spawn(async move { hanging().findings_in(path).try_check() });
    assert!(task.await.expect("no panic").is_err());
}
