//! A server's URL, resolved: its addresses, how to speak TLS with it, and the opening request.
//!
//! It opens no connection.

use crate::wire::handshake;
use http::Uri;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The options of an opening request besides the URL.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// More header lines, as `Name: value`.
    pub headers: Vec<String>,
    /// The subprotocols offered, in order.
    pub subprotocols: Vec<String>,
    /// The `Host` header and the name in TLS, where they are not the URL's.
    pub host: Option<String>,
    /// How to speak TLS; needed for `wss://`.
    pub tls: Option<TlsConnector>,
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
    /// The opening request, whole.
    pub(crate) request: String,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
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
        let uri: Uri = url.parse().map_err(|error| format!("{url}: no URL: {error}"))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(format!("{url}: a URL here begins with ws:// or wss://")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("{url}: no host in it"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = (bare, port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| format!("{url}: host {host} is not known: {error}"))?.collect();
        if addresses.is_empty() {
            return Err(format!("{url}: host {host} has no address"));
        }
        let tls = if secure { Some(tls(url, bare, options)?) } else { None };
        let request = request(&uri, options)?;
        Ok(Self { url: url.to_owned(), addresses, request, tls })
    }

    /// Its first address that is neither of this machine nor of a private network.
    pub fn public_address(&self) -> Option<IpAddr> {
        self.addresses.iter().map(SocketAddr::ip).find(|address| !is_private(*address))
    }
}

/// The connector with the name that the server's certificate must have.
fn tls(
    url: &str,
    host: &str,
    options: &RequestOptions,
) -> Result<(TlsConnector, ServerName<'static>), String> {
    let connector = options.tls.clone().ok_or_else(|| format!("{url}: TLS is not set up"))?;
    let name = options.host.as_deref().map_or(host, |host| host.split(':').next().unwrap_or(host));
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| format!("{url}: {name} is no name for TLS: {error}"))?;
    Ok((connector, name))
}

/// The opening request: [`handshake::REQUEST`] with this server's path, host and more.
fn request(uri: &Uri, options: &RequestOptions) -> Result<String, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host =
        options.host.as_deref().unwrap_or_else(|| authority.rsplit('@').next().unwrap_or(""));
    let start = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
    let plain = handshake::REQUEST.trim_end_matches("\r\n");
    let rest = plain.splitn(3, "\r\n").nth(2).unwrap_or_default();
    let mut request = format!("{start}{rest}\r\n");
    if !options.subprotocols.is_empty() {
        let offered = options.subprotocols.join(", ");
        let _ = write!(request, "Sec-WebSocket-Protocol: {offered}\r\n");
    }
    for header in &options.headers {
        let name = header.split_once(':').map(|(name, _)| name);
        if !name.is_some_and(|name| !name.is_empty() && name.chars().all(is_token)) {
            return Err(format!("header `{header}`: say it as `Name: value`"));
        }
        let _ = write!(request, "{header}\r\n");
    }
    let mut given = options.headers.iter().chain(&options.subprotocols).chain(&options.host);
    if given.any(|text| text.contains(char::is_control)) {
        return Err("a line break in a header, a subprotocol or the host".to_owned());
    }
    Ok(request + "\r\n")
}

const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '!' | '#'..='\'' | '*' | '+' | '-' | '.' | '^'..='`' | '|' | '~')
}

/// Of this machine, or of a network that is not the internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(v4.into()),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, options: &RequestOptions) -> String {
        Endpoint::resolve(url, options).expect(url).request
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
        for address in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "::1", "fd00::1"] {
            assert!(is_private(address.parse().expect("an address")), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "0.0.0.0", "::ffff:8.8.8.8"] {
            assert!(!is_private(address.parse().expect("an address")), "{address}");
        }
    }
}
