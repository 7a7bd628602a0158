//! `hangup connect`: a client that is a target, on a real socket, until its application is done.

use super::args::Connect;
use super::stop::Stop;
use super::{CLEAN, Done};
use crate::excerpt::{MOST_OF_A_PATH, clipped};
use crate::run::interrupt::INTERRUPTED;
use crate::run::real_time::connect::connect;
use crate::target::{Registry, Role};
use crate::transport::tcp::endpoint::{Endpoint, RequestOptions};

pub(super) fn run(registry: &Registry, options: &Connect, stop: &Stop) -> Done {
    let target = registry.resolve(&options.target).map_err(|error| error.to_string())?;
    if target.role() == Role::Server {
        return Err(format!("{} is a server: `hangup serve` lets it listen", target.name()));
    }
    let url = clipped(&options.url, MOST_OF_A_PATH);
    let endpoint = Endpoint::resolve(&options.url, &RequestOptions::default())?;
    let mut asked = stop.asked();
    let runtime = super::remote::runtime()?;
    let done = runtime.block_on(async {
        let connected = connect(&*target, endpoint.addresses[0], options.closes);
        tokio::select! {
            biased;
            Ok(_) = asked.wait_for(|asked| *asked) => Err(INTERRUPTED.to_owned()),
            done = connected => done.map_err(|error| format!("{url}: {error}")),
        }
    });
    runtime.shutdown_background();
    done.map(|()| CLEAN)
}
