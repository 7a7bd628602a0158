//! A user's crate: its server, and the test that finds its hang.

#[cfg(test)]
mod tests {
    use hangup::{Connection, secs, wire::handshake};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Sends its Close on open, then reads for the reply with no deadline.
    async fn my_server(mut conn: Connection) {
        let mut buffer = [0; 1024];
        let Ok(count) = conn.read(&mut buffer).await else { return };
        let Ok(Some((_, accept))) = handshake::request(&buffer[..count]) else { return };
        let mut response = handshake::switching_protocols(&accept).into_bytes();
        response.extend([0x88, 0]);
        if conn.write_all(&response).await.is_ok() {
            while conn.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        }
    }

    #[test]
    fn hangup_finds_the_hang_of_a_server_in_15_lines() {
        let directory =
            std::env::temp_dir().join(format!("hangup-packaging-{}", std::process::id()));
        let suite =
            hangup::suite(my_server).close_within(secs(1)).scripts(500).findings_in(&directory);
        let failure = suite.try_check().expect_err("it hangs").to_string();
        std::fs::remove_dir_all(&directory).expect("the findings were saved");
        assert!(failure.contains("never"), "{failure}");
        assert!(failure.contains("1. ends-in-time (should): waits to read"), "{failure}");
    }
}
