//! The certificate of hangup's own TLS server, and the authority that signs it: made for one run.
//!
//! A client trusts the authority, and not the server's certificate by itself: some clients take no
//! certificate that is both. The keys stay in this process. This file opens no connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a client may call this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long the certificates are valid: from a day ago, for the clocks of others, and for no longer
/// than strict clients accept.
const BEFORE: Duration = Duration::from_hours(24);
const AFTER: Duration = Duration::from_hours(365 * 24);
/// The characters in a line of a PEM file (RFC 7468, 2).
const LINE: usize = 64;

/// A certificate with its key.
pub(super) struct OwnCertificate {
    pub certificate: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
    /// The certificate of the authority, as PEM.
    pub authority: String,
}

impl OwnCertificate {
    /// Makes one that is valid `now`.
    pub fn make(now: SystemTime) -> Result<Self, Error> {
        let mut authority = params(&[], "hangup's authority for one run", now)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let mut server = params(&NAMES, NAMES[0], now)?;
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &authority)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            authority: pem(authority.der()),
        })
    }
}

/// A certificate for these names, and of somebody who is called so.
fn params(names: &[&str], called: &str, now: SystemTime) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, called);
    params.not_before = (now - BEFORE).into();
    params.not_after = (now + AFTER).into();
    Ok(params)
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<&str> =
        (0..text.len()).step_by(LINE).map(|at| &text[at..text.len().min(at + LINE)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
