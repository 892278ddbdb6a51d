//! TLS of our own, for a house without a proxy: the certificate and its key come out of two files, and are read again
//! at SIGHUP, so that a renewed certificate needs no restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// The two files of a certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("{} cannot be used: {why}", file.display())]
    File {
        /// Which one.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The signal that asks for it again cannot be listened to.
    #[error("SIGHUP cannot be listened to: {0}")]
    Signal(#[from] io::Error),
}

/// Speaks TLS with whoever connects.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

impl Tls {
    /// Reads the certificate.
    ///
    /// # Errors
    /// When a file cannot be read, or key and certificate are not of one pair.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let key = RwLock::new(Arc::new(read(&files)?));
        let current = Arc::new(Current { files, key });
        let resolver: Arc<dyn ResolvesServerCert> = current.clone();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config
            .map_err(|error| current.files.unusable(&current.files.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current })
    }

    /// Reads the certificate again at each SIGHUP, until `stop`. One that cannot be used leaves the old one in place.
    ///
    /// # Errors
    /// When the signal cannot be listened to.
    pub fn renewing(&self, stop: CancellationToken) -> Result<impl Future<Output = ()> + use<>, TlsError> {
        let mut hangup: Signal = signal(SignalKind::hangup())?;
        let current = Arc::clone(&self.current);
        Ok(async move {
            while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
                match current.renew() {
                    Ok(()) => tracing::info!("the certificate was read again"),
                    Err(error) => tracing::error!(%error, "the certificate stays as it was"),
                }
            }
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Current {
    files: TlsFiles,
    key: RwLock<Arc<CertifiedKey>>,
}

impl Current {
    fn renew(&self) -> Result<(), TlsError> {
        let new = Arc::new(read(&self.files)?);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl TlsFiles {
    fn unusable(&self, file: &Path, why: impl std::fmt::Display) -> TlsError {
        TlsError::File { file: file.to_owned(), why: why.to_string() }
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let TlsFiles { certificate, key } = files;
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(|certificates| certificates.collect());
    let chain = chain.map_err(|error| files.unusable(certificate, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| files.unusable(key, error))?;
    let pair = CertifiedKey::from_der(chain, private, &ring::default_provider());
    pair.map_err(|error| files.unusable(key, error))
}
