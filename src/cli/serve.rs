//! `hangup serve`: a target on a real socket, until Ctrl-C.

use super::args::Serve;
use super::{CLEAN, Done, output};
use crate::run::real_time::listen;
use crate::target::{AppSteps, Registry, Target};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How many descriptors are asked of the system; what it gives is taken.
const DESCRIPTORS: u64 = 65_536;

pub(super) fn run(registry: &Registry, options: &Serve) -> Done {
    let target = registry.resolve(&options.target).map_err(|error| error.to_string())?;
    let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
    let interrupted = catch_ctrl_c()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let listener = listen(options.listen)
            .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        announce(&*target, address);
        listen::serve(target, listener, interrupted.notified()).await;
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
        output::line(&format!("  ws://{address}{}  sends unasked", listen::PUSH));
    }
    output::note(
        "Ctrl-C closes every connection with 1001 and ends it; a second one ends it at once",
    );
}

/// Told of the first Ctrl-C; the second one ends the process.
fn catch_ctrl_c() -> Result<Arc<Notify>, String> {
    let interrupted = Arc::new(Notify::new());
    let tell = Arc::clone(&interrupted);
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        tell.notify_one();
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    Ok(interrupted)
}
