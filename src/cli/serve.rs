//! `hangup serve`: a target on a real socket, until Ctrl-C, SIGTERM or SIGHUP.

use super::args::Serve;
use super::stop::Stop;
use super::{CLEAN, Done, output, roles};
use crate::run::real_time::listen;
use crate::target::{AppSteps, Registry, Target};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How many descriptors are asked of the system; what it gives is taken.
const DESCRIPTORS: u64 = 65_536;

pub(super) fn run(registry: &Registry, options: &Serve, stop: &Stop) -> Done {
    let target = registry.resolve(&options.target).map_err(|error| error.to_string())?;
    roles::check_serves(&*target, output::program())?;
    let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
    let mut asked = stop.asked();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let listener = listen(options.listen)
            .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        announce(&*target, address);
        let until = async move {
            let _ = asked.wait_for(|asked| *asked).await;
        };
        listen::serve(target, listener, until).await;
        Ok(CLEAN)
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn announce(target: &dyn Target, address: SocketAddr) {
    output::line(&format!("{} listens on ws://{address}", target.name()));
    let obeys = target.obeys();
    if obeys.contain(AppSteps::CLOSE) {
        output::line(&format!("  ws://{address}{}   closes once it is open", listen::BYE));
    }
    if obeys.contain(AppSteps::SEND) {
        output::line(&format!("  ws://{address}{}  sends messages by itself", listen::PUSH));
    }
    output::note(
        "Ctrl-C (SIGTERM, SIGHUP) closes every connection with 1001 and ends it; a second one ends it at once",
    );
}
