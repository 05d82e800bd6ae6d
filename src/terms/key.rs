//! The name of an artifact: a hash of everything that decides it.
//!
//! A key is BLAKE3 over stage kind, stage version, spec and input keys, in an encoding of our own:
//! every value starts with a tag byte, every string, list and map with its length (64-bit little
//! endian), maps are sorted by key, numbers are written by their bits. So `["ab"]` and
//! `["a", "b"]`, `{}` and `[]`, `1` and `1.0` and `"1"` never meet.

use std::fmt;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of an artifact, 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key([u8; 32]);

impl Key {
    /// Returns the key of a stage: what it is, which version, its spec, and its named inputs.
    ///
    /// ```
    /// use ersatz::terms::Key;
    /// let spec = serde_json::json!({"steps": 50});
    /// let key = Key::of_stage("sample", 1, &spec, &[]);
    /// assert_ne!(key, Key::of_stage("sample", 2, &spec, &[]));
    /// ```
    pub fn of_stage(kind: &str, version: u32, spec: &Value, inputs: &[(String, Self)]) -> Self {
        let mut bytes = Vec::new();
        text(&mut bytes, kind);
        bytes.extend(version.to_le_bytes());
        value(&mut bytes, spec);
        length(&mut bytes, inputs.len());
        for (name, key) in inputs {
            text(&mut bytes, name);
            bytes.extend(key.0);
        }
        Self::of_bytes(&bytes)
    }

    /// Returns the key of some content.
    pub fn of_bytes(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// Returns the key of all that a reader gives, which is never held whole.
    ///
    /// # Errors
    /// If it cannot be read to its end.
    pub fn of_stream(stream: impl Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(stream)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// Returns all 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Returns the first 12 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

fn length(bytes: &mut Vec<u8>, n: usize) {
    bytes.extend((n as u64).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    length(bytes, text.len());
    bytes.extend(text.as_bytes());
}

fn value(bytes: &mut Vec<u8>, v: &Value) {
    match v {
        Value::Null => bytes.push(0),
        Value::Bool(b) => bytes.extend([1, u8::from(*b)]),
        Value::Number(n) => number(bytes, n),
        Value::String(s) => {
            bytes.push(4);
            text(bytes, s);
        }
        Value::Array(items) => {
            bytes.push(5);
            length(bytes, items.len());
            items.iter().for_each(|item| value(bytes, item));
        }
        Value::Object(members) => {
            bytes.push(6);
            length(bytes, members.len());
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            for (name, member) in sorted {
                text(bytes, name);
                value(bytes, member);
            }
        }
    }
}

fn number(bytes: &mut Vec<u8>, n: &serde_json::Number) {
    if let Some(i) = n.as_i64() {
        bytes.push(2);
        bytes.extend(i.to_le_bytes());
    } else if let Some(u) = n.as_u64() {
        bytes.push(7);
        bytes.extend(u.to_le_bytes());
    } else {
        let x = n.as_f64().expect("a JSON number is an integer or a float");
        // JSON has no NaN; zero has two bit patterns but one meaning.
        let x = if x == 0.0 { 0.0 } else { x };
        bytes.push(3);
        bytes.extend(x.to_bits().to_le_bytes());
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.short())
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.hex()
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(hex: String) -> Result<Self, String> {
        let hash =
            blake3::Hash::from_hex(&hex).map_err(|e| format!("`{hex}` is not a key: {e}"))?;
        Ok(Self(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn different_values_have_different_keys() {
        let values = [
            json!(null),
            json!(false),
            json!(true),
            json!(0),
            json!(1),
            json!(1.0),
            json!("1"),
            json!(""),
            json!([]),
            json!({}),
            json!(["ab"]),
            json!(["a", "b"]),
            json!([["a"], "b"]),
            json!([["a", "b"]]),
            json!({"a": "b"}),
            json!({"ab": ""}),
            json!({"a": null}),
            json!(u64::MAX),
            json!(-1),
        ];
        let keys: std::collections::BTreeSet<Key> =
            values.iter().map(|v| Key::of_stage("s", 1, v, &[])).collect();
        assert_eq!(keys.len(), values.len());
    }

    #[test]
    fn order_of_members_and_sign_of_zero_do_not_matter() {
        let key = |v: &Value| Key::of_stage("s", 1, v, &[]);
        assert_eq!(key(&json!({"a": 1, "b": 2})), key(&json!({"b": 2, "a": 1})));
        assert_eq!(key(&json!(0.0)), key(&json!(-0.0)));
    }

    #[test]
    fn kind_version_and_inputs_count() {
        let spec = json!({});
        let other = Key::of_bytes(b"input");
        let base = Key::of_stage("a", 1, &spec, &[]);
        assert_ne!(base, Key::of_stage("b", 1, &spec, &[]));
        assert_ne!(base, Key::of_stage("a", 2, &spec, &[]));
        assert_ne!(base, Key::of_stage("a", 1, &spec, &[("x".into(), other)]));
        assert_ne!(
            Key::of_stage("a", 1, &spec, &[("y".into(), other)]),
            Key::of_stage("a", 1, &spec, &[("x".into(), other)])
        );
    }

    #[test]
    fn a_stream_has_the_key_of_its_bytes() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i % 253) as u8).collect();
        assert_eq!(Key::of_stream(bytes.as_slice()).unwrap(), Key::of_bytes(&bytes));
    }

    #[test]
    fn hex_round_trips() {
        let key = Key::of_bytes(b"x");
        assert_eq!(Key::try_from(key.hex()), Ok(key));
        assert!(Key::try_from("no".to_owned()).is_err());
    }
}
