//! A command of the shell in a process group of its own: started, watched until it ends, stopped with
//! its children.
//!
//! It knows neither servers nor clients, and ends no process but those of groups that it started. Unix
//! only: elsewhere to start one is an error.

use super::process_members::Members;
use crate::excerpt::{MOST_OF_A_PATH, clipped};
use crate::exchange::Death;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

/// A signal that tells a server to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGHUP.
    Hup,
}

impl std::fmt::Display for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Hup => "SIGHUP",
        })
    }
}

/// The file for what commands print, which they append to.
pub(super) fn append_to(output: &Path) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(output);
    file.map_err(|error| format!("{}: {error}", output.display()))
}

/// The last line in that file that tells of an error, else the last one, behind a comma, for an error in one
/// line.
pub(super) fn last_words(output: &Path) -> String {
    let tail = tail_of(output).unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail).into_owned();
    let mut lines = tail.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let last = lines.clone().next();
    // Behind its error Node prints its version.
    let told =
        lines.find(|line| ["Error", "error:", "panicked"].iter().any(|word| line.contains(word)));
    told.or(last).map_or_else(String::new, |line| {
        let line = clipped(line, MOST_OF_A_PATH);
        format!(", last: {line}")
    })
}

/// A command as messages repeat it.
pub(super) fn shown(line: &str) -> String {
    clipped(line, MOST_OF_A_PATH)
}

/// The end of a file, which may be as long as a disk.
fn tail_of(file: &Path) -> io::Result<Vec<u8>> {
    const BYTES: u64 = 4096;
    let mut file = std::fs::File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut tail = Vec::new();
    file.take(BYTES).read_to_end(&mut tail)?;
    Ok(tail)
}

/// What the thread that watches a process sees of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// It runs, and the largest process of its group has so many bytes, where that is seen.
    Runs(Option<u64>),
    /// It has ended.
    Ended(Death),
}

#[cfg(unix)]
pub(super) use unix::Group;

#[cfg(unix)]
mod unix {
    use super::{Death, Duration, File, Members, Seen, StopSignal};
    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group,
        test_kill_process_group, waitid,
    };
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    /// How often a process is looked at.
    const LOOK: Duration = Duration::from_millis(5);
    /// How often a group is looked at that is being stopped: seldom, since a busy machine makes each
    /// pause longer. And how often once it was killed, until all of it is gone.
    const STOP_LOOK: Duration = Duration::from_millis(20);
    const LAST_LOOKS: u32 = 5;
    /// After how many looks its memory is measured again.
    const MEASURE: u32 = 10;
    /// After how many measurements its children are listed again.
    const LIST: u32 = 20;

    /// A process group, by the process that began it.
    #[derive(Clone, Copy, Debug)]
    pub struct Group(Pid);

    impl Group {
        /// Starts a line of the shell as a group of its own, with these variables in its environment.
        pub fn spawn(line: &str, variables: &[(&str, &OsStr)], output: File) -> io::Result<Self> {
            let errors = output.try_clone()?;
            let mut command = Command::new("sh");
            command.args(["-c", line]).envs(variables.iter().copied()).process_group(0);
            command.stdin(Stdio::null()).stdout(output).stderr(errors);
            // Who watches it waits for it, by its id.
            let child = command.spawn()?;
            Ok(Self(Pid::from_child(&child)))
        }

        /// Tells what is seen of the process until it has ended; what it is told back is whether
        /// hangup ends the group by itself.
        pub fn watch(self, tell: &mut dyn FnMut(Seen) -> bool) {
            let mut members = Members::of(self.id());
            let mut looks = 0;
            loop {
                // It stays a zombie until it is reaped, so that the group's id stays its own.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
                match waitid(WaitId::Pid(self.0), options) {
                    Ok(None) => {}
                    Ok(Some(status)) => {
                        let stopping = tell(Seen::Ended(death(&status)));
                        if !stopping {
                            // Its children may hold the port.
                            self.kill();
                        }
                        break;
                    }
                    Err(error) if error == rustix::io::Errno::INTR => {}
                    Err(_) => {
                        tell(Seen::Ended(Death::Unseen));
                        break;
                    }
                }
                if looks % MEASURE == 0 {
                    if looks % (MEASURE * LIST) == 0 {
                        members = Members::of(self.id());
                    }
                    tell(Seen::Runs(members.largest()));
                }
                looks += 1;
                pause(LOOK);
            }
            let _ = waitid(WaitId::Pid(self.0), WaitIdOptions::EXITED);
        }

        /// SIGTERM, and SIGKILL for what is left after so long.
        pub fn stop(self, grace: Duration) {
            let _ = kill_process_group(self.0, Signal::TERM);
            let mut waited = Duration::ZERO;
            while waited < grace && test_kill_process_group(self.0).is_ok() {
                pause(STOP_LOOK);
                waited += STOP_LOOK;
            }
            self.kill();
            let mut looks = 0;
            while looks < LAST_LOOKS && test_kill_process_group(self.0).is_ok() {
                pause(STOP_LOOK);
                looks += 1;
            }
        }

        /// Sends a signal.
        pub fn signal(self, signal: StopSignal) {
            let signal = match signal {
                StopSignal::Term => Signal::TERM,
                StopSignal::Int => Signal::INT,
                StopSignal::Hup => Signal::HUP,
            };
            let _ = kill_process_group(self.0, signal);
        }

        /// Whether none of it is left. A process that has ended is not counted, as long as that is seen.
        pub fn has_ended(self) -> bool {
            if cfg!(target_os = "linux") {
                Members::of(self.id()).is_empty()
            } else {
                test_kill_process_group(self.0).is_err()
            }
        }

        /// SIGKILL.
        pub fn kill(self) {
            let _ = kill_process_group(self.0, Signal::KILL);
        }

        pub fn id(self) -> i32 {
            self.0.as_raw_nonzero().get()
        }
    }

    /// A shell that waits for the server reports its signal as an exit code above 128.
    fn death(status: &WaitIdStatus) -> Death {
        match (status.terminating_signal(), status.exit_status()) {
            (Some(signal), _) => Death::Signal(signal),
            (None, Some(code @ 129..=159)) => Death::Signal(code - 128),
            (None, Some(code)) => Death::Exited(code),
            (None, None) => Death::Unseen,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that watches a process waits in real time"
    )]
    fn pause(time: Duration) {
        std::thread::sleep(time);
    }
}

#[cfg(not(unix))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Group;

#[cfg(not(unix))]
impl Group {
    pub fn spawn(_: &str, _: &[(&str, &std::ffi::OsStr)], _: File) -> std::io::Result<Self> {
        Err(std::io::Error::other("hangup starts commands on Unix only: start it by hand"))
    }

    pub fn watch(self, _: &mut dyn FnMut(Seen) -> bool) {}

    pub fn stop(self, _: Duration) {}

    pub fn kill(self) {}

    pub fn signal(self, _: StopSignal) {}

    pub fn has_ended(self) -> bool {
        true
    }

    pub fn id(self) -> i32 {
        0
    }
}
