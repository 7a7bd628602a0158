//! A server's URL, resolved: its addresses, how to speak TLS with it, and the opening request.
//!
//! It opens no connection.

use super::tls::{Tls, Trust};
use crate::excerpt::{MOST_OF_A_PATH, clipped, excerpt};
use crate::wire::{InvalidOpening, Opening};
use http::Uri;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

/// The options of an opening request besides the URL.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// More header lines, as `Name: value`.
    pub headers: Vec<String>,
    /// The subprotocols offered, in order.
    pub subprotocols: Vec<String>,
    /// The `Host` header and the name in TLS, where they are not the URL's.
    pub host: Option<String>,
    /// The [preamble](Opening::with_preamble); empty for none.
    pub preamble: String,
    /// How to speak TLS; needed for `wss://`.
    pub tls: Option<Trust>,
}

impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestOptions")
    }
}

/// A URL, resolved.
#[derive(Clone)]
pub struct Endpoint {
    /// As it was given.
    pub url: String,
    /// The addresses of its host; the first that answers is used.
    pub addresses: Vec<SocketAddr>,
    /// The opening request.
    pub(crate) opening: Opening,
    pub(crate) tls: Option<Tls>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.url)
    }
}

impl Endpoint {
    /// Reads a URL and resolves its host.
    ///
    /// # Errors
    ///
    /// One line: what is wrong with the URL or with what is asked, or that the host is
    /// not known.
    pub fn resolve(url: &str, options: &RequestOptions) -> Result<Self, String> {
        let whole = url;
        let url = &clipped(url, MOST_OF_A_PATH);
        let uri: Uri = whole.parse().map_err(|error| format!("{url}: no URL: {error}"))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(format!("{url}: the URL must begin with ws:// or wss://")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("{url}: no host in it"))?;
        let shown = excerpt(host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = (bare, port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| format!("{url}: host {shown} is not known: {error}"))?.collect();
        if addresses.is_empty() {
            return Err(format!("{url}: host {shown} has no address"));
        }
        let tls = if secure { Some(tls(url, bare, options)?) } else { None };
        let opening = opening(&uri, options).map_err(|error| error.to_string())?;
        Ok(Self { url: whole.to_owned(), addresses, opening, tls })
    }

    /// What a file says of its opening: the preamble alone. The URL has the path, and headers that
    /// were given for a running server may be secrets.
    pub fn opening_to_save(&self) -> Opening {
        Opening::new().with_preamble_text(self.opening.preamble().to_owned())
    }

    /// Its first address that is neither of this machine nor of a private network.
    pub fn public_address(&self) -> Option<IpAddr> {
        self.addresses.iter().map(SocketAddr::ip).find(|address| !is_private(*address))
    }
}

/// The connector with the name that the server's certificate must have.
fn tls(url: &str, host: &str, options: &RequestOptions) -> Result<Tls, String> {
    let trust = options.tls.clone().ok_or_else(|| format!("{url}: TLS is not set up"))?;
    let name = options.host.as_deref().map_or(host, |host| host.split(':').next().unwrap_or(host));
    Tls::new(trust, name).map_err(|error| format!("{url}: {error}"))
}

/// The opening request of this server's path, host and more.
fn opening(uri: &Uri, options: &RequestOptions) -> Result<Opening, InvalidOpening> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host =
        options.host.as_deref().unwrap_or_else(|| authority.rsplit('@').next().unwrap_or(""));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut opening = Opening::new().with_path(path)?.with_host(host)?;
    for subprotocol in &options.subprotocols {
        opening = opening.with_subprotocol(subprotocol)?;
    }
    for header in &options.headers {
        opening = opening.with_header_line(header)?;
    }
    opening.with_preamble(&options.preamble)
}

/// Of this machine, or of a network that is not the internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        // To connect to 0.0.0.0 or :: is to connect to this machine.
        IpAddr::V4(v4) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(v4.into()),
            None => {
                v6.is_loopback()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.is_unspecified()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake;

    fn request(url: &str, options: &RequestOptions) -> String {
        Endpoint::resolve(url, options).expect(url).opening.request().to_owned()
    }

    #[test]
    fn the_request_has_the_path_the_query_and_the_host_of_the_url() {
        let plain = request("ws://127.0.0.1:9001/chat?room=1", &RequestOptions::default());
        assert!(plain.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"));
        let (length, _) = handshake::request(plain.as_bytes()).expect("legal").expect("whole");
        assert_eq!(length, plain.len());
        assert!(
            request("ws://127.0.0.1", &RequestOptions::default()).starts_with("GET / HTTP/1.1\r\n")
        );
    }

    #[test]
    fn headers_subprotocols_and_another_host_are_part_of_it() {
        let options = RequestOptions {
            headers: vec!["Cookie: a=b".to_owned()],
            subprotocols: vec!["chat".to_owned(), "superchat".to_owned()],
            host: Some("example.com".to_owned()),
            preamble: String::new(),
            tls: None,
        };
        let text = request("ws://[::1]:9001/", &options);
        for line in ["Host: example.com", "Cookie: a=b", "Sec-WebSocket-Protocol: chat, superchat"]
        {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{text}");
        }
        assert!(handshake::request(text.as_bytes()).is_ok_and(|whole| whole.is_some()));
    }

    #[test]
    fn an_invalid_url_or_header_is_refused_in_one_line() {
        let header = |line: &str| RequestOptions {
            headers: vec![line.to_owned()],
            ..RequestOptions::default()
        };
        for (url, options, named) in [
            ("http://127.0.0.1/", RequestOptions::default(), "ws:// or wss://"),
            ("127.0.0.1:9001", RequestOptions::default(), "ws:// or wss://"),
            ("ws://", RequestOptions::default(), "no URL"),
            ("wss://127.0.0.1/", RequestOptions::default(), "TLS is not set up"),
            ("ws://127.0.0.1/", header("nonsense"), "`Name: value`"),
            ("ws://127.0.0.1/", header("A: b\r\nC: d"), "line break"),
        ] {
            let error = Endpoint::resolve(url, &options).expect_err(url);
            assert!(error.contains(named) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn only_this_machine_and_private_networks_are_private() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "172.16.0.1",
            "::1",
            "fd00::1",
            "0.0.0.0",
            "::",
        ] {
            assert!(is_private(address.parse().expect("an address")), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_private(address.parse().expect("an address")), "{address}");
        }
    }
}
