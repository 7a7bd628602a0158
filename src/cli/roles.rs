//! Files and targets of the other role: which one a file is about, and what a command says that cannot
//! do with it what it was asked.

use super::Trouble;
use super::files::Content;
use crate::script::Script;
use crate::target::Target;
use crate::wire::Role;

/// The role of the endpoint that a file is about. A script that opens nothing may be about either, and
/// counts as about a server.
pub(super) fn subject_of(content: &Content) -> Role {
    match content {
        Content::Repro(repro) => repro.role,
        Content::Script(script) => match script.is_not_against(Role::Server) {
            Some(_) => Role::Client,
            None => Role::Server,
        },
    }
}

/// Refuses to play the file `at`, which is about this role, in a browser.
pub(super) fn check_browser(at: &str, subject: Role) -> Result<(), Trouble> {
    match subject {
        Role::Client => Ok(()),
        Role::Server => {
            Err(format!("{at} is about a server, and a browser is a client: say --url"))
        }
    }
}

/// Refuses to listen with a target that connects.
pub(super) fn check_serves(target: &dyn Target, program: &str) -> Result<(), Trouble> {
    match target.role() {
        Role::Server => Ok(()),
        Role::Client => Err(format!(
            "{0} is a client, and listens nowhere: `{program} test {0}` tests it in process, and \
             `{program} connect` lets it connect",
            target.name()
        )),
    }
}

/// Refuses to play the repro `at`, which is about this role, against a target of the other one.
pub(super) fn check_repro(at: &str, subject: Role, target: &dyn Target) -> Result<(), Trouble> {
    if subject == target.role() {
        return Ok(());
    }
    let (file, other) = (subject.word(), target.role().word());
    let name = target.name();
    Err(format!("{at} is about a {file}, and {name} is a {other}: choose a {file} with --target"))
}

/// Refuses to play the script `at` against a target that it is not for.
pub(super) fn check_script(at: &str, script: &Script, target: &dyn Target) -> Result<(), Trouble> {
    let Some(why) = script.is_not_against(target.role()) else { return Ok(()) };
    let (own, other) = (target.role().word(), target.role().other().word());
    let name = target.name();
    Err(format!("{at}: {why}, and {name} is a {own}: choose a {other} with --target"))
}
