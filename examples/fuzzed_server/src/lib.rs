//! An echo server that has had enough after three messages, and then hangs: it sends its
//! Close, and waits for the answer with no deadline.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Error;

/// Serves one connection, already accepted, to its end.
///
/// # Errors
///
/// What ended it before its time.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    let mut echoed = 0;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
            echoed += 1;
        }
        if echoed == 3 {
            socket.close(None).await?;
        }
    }
    Ok(())
}
