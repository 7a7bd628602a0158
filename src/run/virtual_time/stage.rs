//! The client's stage in virtual time: the link, and the desk of the server's application.

use super::idle_detector::Parking;
use crate::actor::{Read, Stage};
use crate::exchange::{Note, What};
use crate::script::{Command, Setting, Size};
use crate::target::{AppSteps, ApplicationControl};
use crate::transport::memory::{ClientRead, Link};
use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The application's desk: commands lie here until it takes them.
pub(super) struct Desk {
    link: Link,
    tray: Mutex<Tray>,
}

#[derive(Default)]
struct Tray {
    commands: VecDeque<Command>,
    waker: Option<Waker>,
    kept: Vec<Box<dyn Any + Send>>,
}

impl Desk {
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what the application kept: a handle may hold the desk itself.
    pub fn clear(&self) {
        let kept = std::mem::take(&mut self.tray().kept);
        drop(kept);
    }
}

impl ApplicationControl for Desk {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut tray = self.tray();
        if let Some(command) = tray.commands.pop_front() {
            return Poll::Ready(command);
        }
        tray.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, note: Note) {
        self.link.record(What::Noted(note));
    }

    fn keep(&self, thing: Box<dyn Any + Send>) {
        self.tray().kept.push(thing);
    }
}

/// The stage in virtual time: the link, and the desk of the server's application.
pub(super) struct SimStage {
    link: Link,
    parking: Arc<Parking>,
    obeys: AppSteps,
    pub desk: Arc<Desk>,
}

impl SimStage {
    pub fn new(link: &Link, parking: &Arc<Parking>, obeys: AppSteps) -> Self {
        let desk = Arc::new(Desk { link: link.clone(), tray: Mutex::default() });
        Self { link: link.clone(), parking: Arc::clone(parking), obeys, desk }
    }
}

impl Stage for SimStage {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        self.link.poll_client_read(cx).map(|read| match read {
            ClientRead::Bytes => Read::Bytes,
            ClientRead::End => Read::End,
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link.poll_client_write(cx, bytes)
    }

    fn ask_settled(&mut self) {
        self.parking.ask();
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.parking.poll_answered(cx)
    }

    fn is_over(&self) -> bool {
        self.link.is_over()
    }

    fn received(&mut self, from: usize, look: &mut dyn FnMut(&[u8])) {
        self.link.with_received(|bytes| look(&bytes[from..]));
    }

    fn tell(&mut self, command: &Command) {
        if !self.obeys.contain(AppSteps::of(command)) {
            return;
        }
        self.link.client_acted();
        let mut tray = self.desk.tray();
        tray.commands.push_back(command.clone());
        if let Some(waker) = tray.waker.take() {
            waker.wake();
        }
    }

    fn fin(&mut self) {
        self.link.client_fin();
    }

    fn reset(&mut self) {
        self.link.client_reset();
    }

    fn drop_socket(&mut self) {
        self.link.client_drop();
    }

    fn cut(&mut self) {
        self.link.cut();
    }

    fn set(&mut self, setting: Setting, size: Size) {
        self.link.set(setting, size);
    }

    fn reading(&mut self, reads: bool) {
        self.link.record(if reads { What::ResumedReading } else { What::StoppedReading });
    }
}
