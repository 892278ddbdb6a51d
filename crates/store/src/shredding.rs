//! What the audit tells of a person is sealed under a key of that person's own: rows of the audit stay for ever, the key does
//! not. Once it is gone, the row and its link of the chain are as they were, and the words are read by nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::audit::Row;
use crate::personal::Personal;
use crate::sealing::{DataKey, Place, key_bytes};
use crate::{Db, StoreError, Tx, in_tx, read};

/// The member of a state in the audit that is sealed.
const PERSONAL: &str = "personal";
/// The id of every person's key.
const ID: &str = "p";
/// What stands in the place of words that nobody can read any more.
const ERASED: &str = "(erased)";
/// In the place of words whose data key is not here.
const UNREADABLE: &str = "(a key is missing)";

/// What the audit calls a tenant.
pub(crate) fn subject(id: i64) -> String {
    format!("tenant:{id}")
}

fn place(subject: &str) -> Place<'_> {
    Place::new("audit", PERSONAL, subject)
}

/// The words that are told of a person, under the person's key.
pub(crate) struct Words {
    key: Option<DataKey>,
    subject: String,
    keys: Arc<crate::Keys>,
}

/// Takes the key of this person, or draws it. The row of the person must be locked.
pub(crate) async fn words_in(tx: &mut Tx, id: i64) -> Result<Words, StoreError> {
    const FIND: &str = "SELECT audit_key FROM users WHERE id = $1";
    const KEEP: &str = "UPDATE users SET audit_key = $2 WHERE id = $1";
    let keys = Arc::clone(tx.keys());
    let kept: Option<Option<String>> =
        in_tx!(&mut *tx, conn => sqlx::query_scalar(FIND).bind(id).fetch_optional(conn).await?);
    let key = match (kept.flatten(), keys.draw()) {
        (Some(sealed), _) => Some(key_of(&keys, id, sealed)?),
        // Without randomness there is no key, and the words stand as they are.
        (None, None) => None,
        (None, Some(bytes)) => {
            let sealed = keys.seal(&Place::audit_key(id), &hex::encode(bytes))?;
            in_tx!(tx, conn => sqlx::query(KEEP).bind(id).bind(sealed).execute(conn).await.map(drop)?);
            Some(DataKey::new(ID, bytes))
        }
    };
    Ok(Words { key, subject: subject(id), keys })
}

fn key_of(keys: &crate::Keys, id: i64, sealed: String) -> Result<DataKey, StoreError> {
    let place = Place::audit_key(id);
    let text = keys.open(&place, sealed)?;
    Ok(DataKey::new(ID, key_bytes(&text).ok_or_else(|| place.damaged())?))
}

impl Words {
    /// The person, and what else is told beside, as a state of the audit.
    pub(crate) fn told(
        &self,
        personal: &Personal,
        mut beside: Map<String, Value>,
    ) -> Result<String, StoreError> {
        let place = place(&self.subject);
        let words = serde_json::to_value(personal).map_err(|_| place.damaged())?;
        match (&self.key, self.keys.draw(), words) {
            (Some(key), Some(dice), words) => {
                let sealed = key.seal(&place, words.to_string().as_bytes(), dice)?;
                beside.insert(PERSONAL.to_owned(), Value::String(sealed));
            }
            (_, _, Value::Object(words)) => beside.extend(words),
            _ => {}
        }
        Ok(Value::Object(beside).to_string())
    }
}

/// The rows as they are shown: with the words that can still be read.
pub(crate) async fn open(db: &Db, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
    const FIND: &str = "SELECT audit_key FROM users WHERE id = $1";
    let mut known: HashMap<i64, Result<Option<DataKey>, StoreError>> = HashMap::new();
    for row in &mut rows {
        let id = row.subject.strip_prefix("tenant:").and_then(|id| id.parse::<i64>().ok());
        let Some(id) = id.filter(|_| is_sealed(row)) else { continue };
        if let Entry::Vacant(place) = known.entry(id) {
            let kept: Option<Option<String>> =
                read!(db, pool => sqlx::query_scalar(FIND).bind(id).fetch_optional(pool).await?);
            let key = kept.flatten().map(|sealed| key_of(db.keys(), id, sealed)).transpose();
            place.insert(key);
        }
        let key = known.get(&id);
        for text in [&mut row.before, &mut row.after].into_iter().flatten() {
            *text = opened(text, &row.subject, key);
        }
    }
    Ok(rows)
}

fn is_sealed(row: &Row) -> bool {
    [&row.before, &row.after].into_iter().flatten().any(|text| text.contains("\"personal\":\"x1.p."))
}

fn opened(text: &str, subject: &str, key: Option<&Result<Option<DataKey>, StoreError>>) -> String {
    let Ok(Value::Object(mut state)) = serde_json::from_str(text) else { return text.to_owned() };
    let Some(Value::String(sealed)) = state.get(PERSONAL).cloned() else { return text.to_owned() };
    let words = match key {
        Some(Ok(Some(key))) => key.open_text(&place(subject), &sealed),
        Some(Ok(None)) | None => Err(ERASED),
        Some(Err(_)) => Err(UNREADABLE),
    };
    match words.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(Value::Object(words))) => {
            state.remove(PERSONAL);
            state.extend(words);
        }
        Ok(_) => {}
        Err(why) => drop(state.insert(PERSONAL.to_owned(), Value::String(why.to_owned()))),
    }
    Value::Object(state).to_string()
}
