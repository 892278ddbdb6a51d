//! Small texts that leave the program and come back unread and unchanged, under the secret of the installation.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use domain::Secret;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub(super) const NONCE_BYTES: usize = 24;

/// The key for one purpose, which is of no use for another. HMAC takes secrets of any length.
pub(super) fn key_for(purpose: &[u8], secret: &Secret) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(purpose);
    Some(mac.finalize().into_bytes().into())
}

/// Seals `text` for `place`, in hex.
pub(super) fn seal(key: [u8; 32], nonce: [u8; NONCE_BYTES], (text, place): (&[u8], &[u8])) -> Option<String> {
    let sealed = XChaCha20Poly1305::new(&key.into())
        .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: place })
        .ok()?;
    Some(format!("{}{}", hex::encode(nonce), hex::encode(sealed)))
}

/// Opens what was sealed under this key for this place.
pub(super) fn open(key: [u8; 32], (sealed, place): (&str, &[u8])) -> Option<Vec<u8>> {
    let bytes = hex::decode(sealed).ok()?;
    let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    XChaCha20Poly1305::new(&key.into()).decrypt(&XNonce::from(nonce), Payload { msg: text, aad: place }).ok()
}
