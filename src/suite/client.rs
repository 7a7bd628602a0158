//! The entry for clients: a closure that is given a connection, and connects over it.

use super::{Suite, suite};
use crate::target::{Application, Connection};
use crate::wire::Role;
use std::future::Future;

/// Tests a client. `connect` is given an open transport, `AsyncRead + AsyncWrite`, as a
/// `TcpStream` to a server is, and the handle through which its application gets commands: it sends its
/// opening request at once, uses the connection, and returns when it is done with it.
///
/// hangup is the server: it answers late, half or never, sends frames of every kind, does not
/// reply to a Close, resets. What [`suite`] says of the runtime and of settings holds
/// for clients too; [`Suite::handshake_within`] is the bound for giving up a connection that does not open.
///
/// An application that obeys commands takes them from [`Application::command`], and says which with
/// [`Suite::obeying`]: to close, to send, to ping, to drop the handle (`app return`) or to hold it (`app
/// keep`). One that notes what it is told ([`Note::Reports`], [`Note::CloseReturned`],
/// [`Note::ToldOfEnd`]) has that judged as well.
///
/// ```no_run
/// # async fn my_client(io: hangup::Connection, app: hangup::Application) {}
/// use hangup::AppSteps;
///
/// hangup::client_suite(|io, app| my_client(io, app)).obeying(AppSteps::CLOSE).check();
/// ```
///
/// [`Note::Reports`]: crate::exchange::Note::Reports
/// [`Note::CloseReturned`]: crate::exchange::Note::CloseReturned
/// [`Note::ToldOfEnd`]: crate::exchange::Note::ToldOfEnd
#[track_caller]
pub fn client_suite<S, F>(connect: S) -> Suite
where
    S: Fn(Connection, Application) -> F + Send + Sync + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let mut suite = suite(move |connection: Connection| {
        let application = connection.application();
        connect(connection, application)
    });
    suite.target.role = Role::Client;
    suite
}
