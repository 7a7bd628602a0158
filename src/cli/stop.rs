//! How a command is stopped from outside: Ctrl-C, SIGTERM and SIGHUP are one wish.
//!
//! The first signal asks the command to end: it saves and reports what it has. Half a second later what
//! still plays is cut off. A signal that comes after that ends the process at once. Signals within the
//! half second are the same wish: `timeout` of GNU signals a process, and then its group. What a
//! command does when it is asked, it decides itself.

use super::{Trouble, output};
use crate::finding::save;
use crate::run::interrupt::Interrupt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// So much later a signal is another one, and plays that have not ended are cut off.
const APART: Duration = Duration::from_millis(500);

/// How long the process waits for a file that is being written before it ends at once.
const WRITING: Duration = Duration::from_secs(1);

/// Kills what hangup started.
type Kill = Box<dyn Fn() + Send>;

/// Whether a command is to end. Clones share it.
#[derive(Clone)]
pub(super) struct Stop {
    pub interrupt: Interrupt,
    asked: watch::Receiver<bool>,
    /// Kills what hangup started: it must not outlive it.
    kill: Arc<Mutex<Option<Kill>>>,
}

impl Stop {
    /// Listens from now on, until the process ends.
    pub fn listen() -> Result<Self, Trouble> {
        let failed = |error: std::io::Error| format!("cannot listen for signals: {error}");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let signals = {
            let _inside = runtime.enter();
            signals::Signals::new().map_err(failed)?
        };
        let (tell, asked) = watch::channel(false);
        let stop = Self { interrupt: Interrupt::default(), asked, kill: Arc::default() };
        let own = stop.clone();
        let obey = move |runtime: Runtime| runtime.block_on(own.obey(signals, &tell));
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || obey(runtime)).map_err(failed)?;
        Ok(stop)
    }

    async fn obey(self, mut signals: signals::Signals, tell: &watch::Sender<bool>) {
        let first = signals.next().await;
        self.interrupt.ask();
        tell.send_replace(true);
        output::over_a_bar(&format!(
            "interrupted ({}): stopping; a second signal ends it at once",
            first.name
        ));
        let until = Instant::now() + APART;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(until) => break,
                _ = signals.next() => {}
            }
        }
        self.interrupt.cut();
        let again = signals.next().await;
        if let Some(kill) = &*self.kill() {
            kill();
        }
        save::finish_writing(WRITING);
        std::process::exit(128 + again.number);
    }

    /// Whether the command was asked to end.
    pub fn is_asked(&self) -> bool {
        self.interrupt.is_asked()
    }

    /// Says true once the command is asked to end.
    pub fn asked(&self) -> watch::Receiver<bool> {
        self.asked.clone()
    }

    /// This is called where the process ends at once, to kill what was started.
    pub fn takes_along(&self, kill: impl Fn() + Send + 'static) {
        *self.kill() = Some(Box::new(kill));
    }

    fn kill(&self) -> std::sync::MutexGuard<'_, Option<Kill>> {
        self.kill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A signal: what it is called, and its number.
struct NamedSignal {
    name: &'static str,
    number: i32,
}

#[cfg(unix)]
mod signals {
    use super::NamedSignal;
    use rustix::process::Signal as Number;
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Those that end a command, and one that must not: a file that may grow no further is an error of
    /// the write then.
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        /// `None` under `nohup`.
        hangup: Option<Signal>,
        file_size: Signal,
    }

    impl Signals {
        pub fn new() -> io::Result<Self> {
            let file_size = SignalKind::from_raw(Number::XFSZ.as_raw());
            let hangup = (!is_ignored(Number::HUP)).then(|| signal(SignalKind::hangup()));
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: hangup.transpose()?,
                file_size: signal(file_size)?,
            })
        }

        pub async fn next(&mut self) -> NamedSignal {
            let Self { interrupt, terminate, hangup, file_size } = self;
            let hangup = async {
                match hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(hangup);
            loop {
                let (name, number) = tokio::select! {
                    Some(()) = interrupt.recv() => ("SIGINT", Number::INT),
                    Some(()) = terminate.recv() => ("SIGTERM", Number::TERM),
                    Some(()) = &mut hangup => ("SIGHUP", Number::HUP),
                    Some(()) = file_size.recv() => continue,
                    else => std::future::pending().await,
                };
                return NamedSignal { name, number: number.as_raw() };
            }
        }
    }

    /// Whether whoever started the process has it ignore a signal, as `nohup` does. Linux only: on
    /// other systems nobody says so without an unsafe call.
    fn is_ignored(signal: Number) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) != 0)
    }
}

#[cfg(windows)]
mod signals {
    use super::NamedSignal;
    use std::io;
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    /// Those that end a command.
    pub(super) struct Signals {
        interrupt: CtrlC,
        stop: CtrlBreak,
        close: CtrlClose,
    }

    impl Signals {
        pub fn new() -> io::Result<Self> {
            Ok(Self { interrupt: ctrl_c()?, stop: ctrl_break()?, close: ctrl_close()? })
        }

        pub async fn next(&mut self) -> NamedSignal {
            let name = tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.stop.recv() => "Ctrl-Break",
                _ = self.close.recv() => "closed",
            };
            NamedSignal { name, number: 2 }
        }
    }
}

#[cfg(not(any(unix, windows)))]
mod signals {
    use super::NamedSignal;
    use std::io;

    /// None are known here.
    pub(super) struct Signals;

    impl Signals {
        pub fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub async fn next(&mut self) -> NamedSignal {
            std::future::pending().await
        }
    }
}
