//! Whether the server answers others while a script is played: a polite client that opens a
//! WebSocket again and again, and how long it waits for the answer.
//!
//! A server that is slow to it is busy, with another script or with the machine's other work: what
//! it does late at that time proves little. Verdicts are not its business.

use super::preflight::check_url;
use super::remote_subject::UrlRole;
use crate::transport::tcp::endpoint::Endpoint;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// The pause between two openings.
const EVERY: Duration = Duration::from_millis(50);
/// A distant server takes several round trips: so many times the quickest answer is no delay yet.
const TIMES_THE_QUICKEST: u32 = 4;

/// Opens connections until it is dropped.
pub(super) struct Witness {
    answers: Arc<Mutex<Answers>>,
    asking: JoinHandle<()>,
}

#[derive(Default)]
struct Answers {
    /// When the opening began that has no answer yet.
    asked: Option<Instant>,
    quickest: Option<Duration>,
    /// When an answer came, and how long it took.
    came: Vec<(Instant, Duration)>,
}

impl Witness {
    /// Begins to open connections at `endpoint`.
    pub fn start(endpoint: Endpoint) -> Self {
        let answers = Arc::<Mutex<Answers>>::default();
        let recorded = Arc::clone(&answers);
        let asking = tokio::spawn(async move {
            loop {
                let began = Instant::now();
                lock(&recorded).asked = Some(began);
                // No answer, or a wrong one, takes its time as well.
                let _ = check_url(&endpoint, UrlRole::Plain, None).await;
                lock(&recorded).answered(began, began.elapsed());
                sleep(EVERY).await;
            }
        });
        Self { answers, asking }
    }

    /// Waits until the server answers within `most`, and for so long at most.
    pub async fn at_leisure(&self, most: Duration, longest: Duration) {
        let start = Instant::now();
        while start.elapsed() < longest {
            let began = Instant::now();
            sleep(most + EVERY * 2).await;
            if !self.waited_since(began, most) {
                return;
            }
        }
    }

    /// Whether an answer took longer than `most` since `start`, or is late by now.
    pub fn waited_since(&self, start: Instant, most: Duration) -> bool {
        let answers = lock(&self.answers);
        let most = most.max(answers.quickest.unwrap_or_default() * TIMES_THE_QUICKEST);
        let came = answers.came.iter().rev().take_while(|(at, _)| *at >= start);
        let waits = answers.asked.map(|asked| asked.elapsed());
        came.map(|(_, took)| *took).chain(waits).any(|took| took > most)
    }
}

impl Answers {
    fn answered(&mut self, began: Instant, took: Duration) {
        self.asked = None;
        self.quickest = Some(self.quickest.map_or(took, |quickest| quickest.min(took)));
        self.came.push((began + took, took));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tcp::endpoint::RequestOptions;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that stops answering for a while, `after` so many openings.
    async fn busy(after: u32, pause: Duration) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            for count in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                if count == after {
                    sleep(pause).await;
                }
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer =
                    crate::wire::handshake::switching_protocols(crate::wire::handshake::ACCEPT);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Endpoint::resolve(&format!("ws://{address}/"), &RequestOptions::default()).expect("a URL")
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn a_server_that_is_busy_is_late_to_the_witness_and_one_that_is_not_is_not() {
        let most = Duration::from_millis(400);
        for (pause, expected) in [(Duration::ZERO, false), (Duration::from_millis(900), true)] {
            let witness = Witness::start(busy(3, pause).await);
            let start = Instant::now();
            sleep(Duration::from_secs(2)).await;
            assert_eq!(witness.waited_since(start, most), expected, "{pause:?}");
            assert!(!witness.waited_since(Instant::now(), most), "that is over");
        }
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn an_answer_that_has_not_come_yet_is_late_as_well() {
        let witness = Witness::start(busy(0, Duration::from_secs(20)).await);
        let start = Instant::now();
        sleep(Duration::from_millis(900)).await;
        assert!(witness.waited_since(start, Duration::from_millis(400)));
    }
}
