//! A whole server on actix-web whose shutdown is that of `HttpServer` as its documentation shows it: SIGTERM,
//! and 30 s. Its sessions are the guide's, which nobody tells.

#[path = "../../examples/actix_shutdown.rs"]
#[expect(dead_code, reason = "its `main` tells the sessions")]
mod guide;

use actix_web::{App, HttpServer, rt, web};
use std::io;
use tokio_util::sync::CancellationToken;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9001);
    let app = || {
        let nobody_tells = web::Data::new(CancellationToken::new());
        App::new().app_data(nobody_tells).route("/", web::get().to(guide::upgrade))
    };
    let server = async move { HttpServer::new(app).bind(("127.0.0.1", port))?.run().await };
    rt::System::new().block_on(server)
}
