//! Encryption at rest: what tells of people is sealed before it is written, and opened when it is read.
//!
//! A sealed text is `x1.KEY.` and base64url of nonce and ciphertext (XChaCha20-Poly1305). It opens under its own key, and
//! only in the table, the column and the row that it was sealed for. Without keys texts are kept as they are.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use domain::{Email, Secret};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::StoreError;

const SEALED: &str = "x1.";
/// In front of a plain text that looks like a sealed one.
const PLAIN: &str = "x0.";
const NONCE_BYTES: usize = 24;
const ID_CHARS_MAX: usize = 32;

/// The bytes of a key that is kept as hex.
pub(crate) fn key_bytes(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// Draws bytes that nobody can guess.
type Dice = Arc<dyn Fn() -> [u8; 32] + Send + Sync>;

/// A key that seals and opens.
#[derive(Clone)]
pub struct DataKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl DataKey {
    /// Reads `ID:KEY`, the key being 32 bytes in base64.
    ///
    /// # Errors
    /// What is wrong with it, without the key.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (id, key) = text.split_once(':').ok_or("is not of the form id:key")?;
        let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(is_plain) {
            return Err("has an id that is not 1 to 32 letters, digits, - and _");
        }
        let bytes = STANDARD.decode(key).map_err(|_| "has a key that is not base64")?;
        let key = bytes.try_into().map_err(|_| "has a key that is not 32 bytes long")?;
        Ok(Self::new(id, key))
    }

    pub(crate) fn new(id: &str, key: [u8; 32]) -> Self {
        Self { id: id.to_owned(), cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// The text of a key of these bytes, which nobody can guess, as [`DataKey::parse`] reads it.
    #[must_use]
    pub fn text(id: &str, bytes: [u8; 32]) -> Secret {
        Secret::from(format!("{id}:{}", STANDARD.encode(bytes)))
    }

    /// What it is called.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn seal(&self, at: &Place<'_>, text: &[u8], dice: [u8; 32]) -> Result<String, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&dice[..NONCE_BYTES]);
        let bound = at.bound();
        let payload = Payload { msg: text, aad: bound.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| at.damaged())?;
        let bytes = [&nonce[..], &sealed].concat();
        Ok(format!("{SEALED}{}.{}", self.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens a text that this key has sealed; otherwise says so in a word for people.
    pub(crate) fn open_text(&self, at: &Place<'_>, sealed: &str) -> Result<String, &'static str> {
        let encoded = sealed.strip_prefix(&beginning(&self.id));
        let bytes = encoded.and_then(|encoded| self.open(at, encoded));
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or("(it was changed)")
    }

    fn open(&self, at: &Place<'_>, encoded: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let bound = at.bound();
        self.cipher.decrypt(&XNonce::from(nonce), Payload { msg: text, aad: bound.as_bytes() }).ok()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.id)
    }
}

/// Where a text stands. What was sealed for one place opens in no other.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    table: &'static str,
    column: &'static str,
    row: std::borrow::Cow<'a, str>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(
        table: &'static str,
        column: &'static str,
        row: impl Into<std::borrow::Cow<'a, str>>,
    ) -> Self {
        Self { table, column, row: row.into() }
    }

    /// What a person is called, under which address and number.
    pub(crate) fn person(id: i64) -> Self {
        Self::new("users", "personal", id.to_string())
    }

    /// What the audit's words about a person are sealed under.
    pub(crate) fn audit_key(id: i64) -> Self {
        Self::new("users", "audit_key", id.to_string())
    }

    /// What the payer of this invoice is to do.
    pub(crate) fn instruction(invoice: &'a str) -> Self {
        Self::new("payments", "instruction", invoice)
    }

    /// The telephone number of the wallet that pays this invoice.
    pub(crate) fn payer(invoice: &'a str) -> Self {
        Self::new("payments", "payer_sealed", invoice)
    }

    /// The notification of this hash.
    pub(crate) fn notification(body_hash: &'a str) -> Self {
        Self::new("notifications", "body", body_hash)
    }

    fn bound(&self) -> String {
        format!("{}.{}:{}", self.table, self.column, self.row)
    }

    pub(crate) fn damaged(&self) -> StoreError {
        StoreError::Sealed { place: self.bound() }
    }
}

/// The keys of the house, the newest first: that one seals, all of them open.
#[derive(Clone, Default)]
pub struct Keys {
    ring: Vec<DataKey>,
    dice: Option<Dice>,
    index: Arc<OnceLock<[u8; 32]>>,
}

impl Keys {
    /// These keys, the newest first, and where randomness comes from.
    #[must_use]
    pub fn new(ring: Vec<DataKey>, dice: impl Fn() -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self { ring, dice: Some(Arc::new(dice)), index: Arc::default() }
    }

    /// The ids, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ring.iter().map(DataKey::id)
    }

    pub(crate) fn newest(&self) -> Option<&DataKey> {
        self.ring.first()
    }

    /// Bytes that nobody can guess. Whoever has keys has a source of them.
    pub(crate) fn draw(&self) -> Option<[u8; 32]> {
        self.dice.as_ref().map(|dice| dice())
    }

    /// How a sealed text begins that the newest key has sealed.
    pub(crate) fn beginning(&self) -> Option<String> {
        self.newest().map(|key| beginning(&key.id))
    }

    /// Seals a text for its place.
    pub(crate) fn seal(&self, at: &Place<'_>, text: &str) -> Result<String, StoreError> {
        match self.newest().zip(self.draw()) {
            Some((key, dice)) => key.seal(at, text.as_bytes(), dice),
            None if is_prefixed(text) => Ok(format!("{PLAIN}{text}")),
            None => Ok(text.to_owned()),
        }
    }

    /// Opens what stands at a place. What was never sealed is given as it is.
    pub(crate) fn open(&self, at: &Place<'_>, text: String) -> Result<String, StoreError> {
        if let Some(plain) = text.strip_prefix(PLAIN) {
            return Ok(plain.to_owned());
        }
        let Some(rest) = text.strip_prefix(SEALED) else { return Ok(text) };
        let (id, encoded) = rest.split_once('.').ok_or_else(|| at.damaged())?;
        let missing = || StoreError::NoKey { place: at.bound(), key: id.to_owned() };
        let key = self.ring.iter().find(|key| key.id == id).ok_or_else(missing)?;
        let bytes = key.open(at, encoded).ok_or_else(|| at.damaged())?;
        String::from_utf8(bytes).map_err(|_| at.damaged())
    }

    /// The address as it is looked for: a keyed hash where texts are sealed. It has the form of an address, and belongs to
    /// nobody.
    pub(crate) fn address(&self, email: &Email) -> Result<String, StoreError> {
        if self.ring.is_empty() {
            return Ok(email.as_str().to_owned());
        }
        let key = self.index.get().ok_or(StoreError::Locked)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| StoreError::Locked)?;
        mac.update(email.as_str().as_bytes());
        Ok(format!("{}@sealed.invalid", hex::encode(mac.finalize().into_bytes())))
    }

    pub(crate) fn unlock(&self, index: [u8; 32]) {
        // Another who came first has the same.
        let _known = self.index.set(index);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.ring).finish()
    }
}

/// How a sealed text begins that the key of this id has sealed.
pub(crate) fn beginning(id: &str) -> String {
    format!("{SEALED}{id}.")
}

fn is_prefixed(text: &str) -> bool {
    text.starts_with(SEALED) || text.starts_with(PLAIN)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    fn key(id: &str, byte: u8) -> DataKey {
        DataKey::parse(DataKey::text(id, [byte; 32]).expose()).unwrap()
    }

    fn keys(ring: Vec<DataKey>) -> Keys {
        let drawn = AtomicU8::new(0);
        Keys::new(ring, move || [drawn.fetch_add(1, Ordering::Relaxed); 32])
    }

    #[test]
    fn what_is_sealed_opens_at_its_own_place_alone() {
        let keys = keys(vec![key("k1", 1)]);
        let sealed = keys.seal(&Place::person(7), "Budi").unwrap();
        assert!(sealed.starts_with("x1.k1.") && !sealed.contains("Budi"), "{sealed}");
        assert_ne!(sealed, keys.seal(&Place::person(7), "Budi").unwrap());
        assert_eq!(keys.open(&Place::person(7), sealed.clone()).unwrap(), "Budi");
        for other in [Place::person(8), Place::instruction("7"), Place::new("users", "audit_key", "7")] {
            let error = keys.open(&other, sealed.clone()).unwrap_err();
            assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let keys = keys(vec![key("k1", 1)]);
        let sealed = keys.seal(&Place::person(7), "Budi").unwrap();
        for (place, char) in sealed.char_indices().skip("x1.k1.".len()) {
            let other = if char == 'A' { "B" } else { "A" };
            let mut changed = sealed.clone();
            changed.replace_range(place..=place, other);
            let error = keys.open(&Place::person(7), changed).unwrap_err();
            assert!(matches!(error, StoreError::Sealed { .. }), "{place}: {error}");
        }
        for broken in ["x1.", "x1.k1", "x1.k1.", "x1.k1.AAAA"] {
            let error = keys.open(&Place::person(7), broken.to_owned()).unwrap_err();
            assert!(matches!(error, StoreError::Sealed { .. }), "{broken}: {error}");
        }
    }

    #[test]
    fn the_newest_key_seals_and_every_key_opens() {
        let old = keys(vec![key("k1", 1)]);
        let sealed = old.seal(&Place::person(7), "Budi").unwrap();
        let both = keys(vec![key("k2", 2), key("k1", 1)]);
        assert_eq!(both.open(&Place::person(7), sealed.clone()).unwrap(), "Budi");
        assert!(both.seal(&Place::person(7), "Budi").unwrap().starts_with("x1.k2."));
        let new = keys(vec![key("k2", 2)]);
        let error = new.open(&Place::person(7), sealed.clone()).unwrap_err().to_string();
        assert!(error.contains("k1") && error.contains("users.personal:7"), "{error}");
        // Another key under the same name is no key to it.
        let error = keys(vec![key("k1", 3)]).open(&Place::person(7), sealed).unwrap_err();
        assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
    }

    #[test]
    fn without_keys_every_text_stays_what_it_is() {
        let (none, some) = (Keys::default(), keys(vec![key("k1", 1)]));
        for text in ["", "Budi", "x1.k1.AAAA", "x0.", "x0.x1.", "{}"] {
            let kept = none.seal(&Place::person(7), text).unwrap();
            assert_eq!(none.open(&Place::person(7), kept.clone()).unwrap(), text);
            assert_eq!(some.open(&Place::person(7), kept).unwrap(), text);
        }
        assert_eq!(none.seal(&Place::person(7), "Budi").unwrap(), "Budi");
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_never_shown() {
        let good = STANDARD.encode([1; 32]);
        for wrong in ["", "k1", ":", &format!(":{good}"), &format!("k 1:{good}"), "k1:hush", "k1:aHVzaA=="] {
            let error = DataKey::parse(wrong).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
        let shown = format!("{:?}", keys(vec![key("k1", 1)]));
        assert_eq!(shown, "[k1:***]");
    }

    #[test]
    fn an_address_is_looked_for_by_a_hash_that_only_its_key_makes() {
        let email = Email::try_from("budi@kost.test".to_owned()).unwrap();
        assert_eq!(Keys::default().address(&email).unwrap(), "budi@kost.test");
        let hashed = |index| {
            let keys = keys(vec![key("k1", 1)]);
            assert!(matches!(keys.address(&email), Err(StoreError::Locked)));
            keys.unlock([index; 32]);
            keys.address(&email).unwrap()
        };
        assert_eq!(hashed(1), hashed(1));
        assert_ne!(hashed(1), hashed(2));
        assert!(Email::try_from(hashed(1)).is_ok());
    }
}
