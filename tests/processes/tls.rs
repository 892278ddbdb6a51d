//! A TLS end point before a server of a test, as a proxy in front of Kasir would be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, crypto};

/// The end point: where it listens, and the certificate to trust.
pub(crate) struct Front {
    pub(crate) port: u16,
    pub(crate) certificate: PathBuf,
}

impl Front {
    /// Speaks these versions of TLS as `localhost`, and passes everything on to that port.
    pub(crate) async fn open(
        dir: &Path,
        versions: &[&'static SupportedProtocolVersion],
        behind: u16,
    ) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let certificate = dir.join(format!("{port}.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), caller, behind));
            }
        });
        Self { port, certificate }
    }

    /// Where it is, by the name in its certificate.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

async fn pass_on(acceptor: TlsAcceptor, caller: TcpStream, behind: u16) {
    // A caller who does not like the certificate or the version goes away.
    let Ok(mut caller) = acceptor.accept(caller).await else { return };
    let Ok(mut behind) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, behind))).await else {
        return;
    };
    let _ended = tokio::io::copy_bidirectional(&mut caller, &mut behind).await;
}
