//! Values to bytes and back.
//!
//! The encoding is bincode's with integers of fixed width: fast, compact for numbers, and it runs no
//! code of the data's choosing. It is not self-describing, so serde features that need a
//! self-describing format cannot pass: `#[serde(flatten)]`, untagged and internally tagged enums,
//! `skip_serializing_if`, and types such as `serde_json::Value`. [`encode_checked`] finds that out
//! where the value is made; [`Json`] is the way around it.
//!
//! Values have at most [`MAX_PAYLOAD`] bytes and [`MAX_DEPTH`] levels. Without the second limit, a list of
//! a million boxes, or bytes that claim to be one, would overflow the stack, which ends the process.

mod decode;
mod encode;
mod trace;

use std::ops::{Deref, DerefMut};

use bincode::error::{DecodeError, EncodeError};
use bincode::serde::DecodeError as SerdeError;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::frame::MAX_PAYLOAD;
use crate::secret;

pub use trace::check_type;

/// With integers of fixed width every claim that the decoder makes is for bytes that must be there,
/// so this one limit keeps it from reserving more memory than a frame can hold.
const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Fixint,
    bincode::config::Limit<MAX_PAYLOAD>,
> = bincode::config::standard().with_fixed_int_encoding().with_limit::<MAX_PAYLOAD>();

/// How deep values may be nested: each list, map, tuple, struct, `Some` and enum with a content is a level.
///
/// A level of a small type takes some 1.5 KiB of stack where nothing is optimised, and threads have 2 MiB.
pub const MAX_DEPTH: u16 = 256;

const SELF_DESCRIBING: &str = "its type can only be read from a self-describing format";

const TOO_DEEP: &str = "it is nested deeper than 256 levels";

/// Why a value cannot travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value refused to be serialized, or holds something that the encoding cannot express.
    #[error("cannot be encoded: {reason}")]
    Encode {
        /// What serde or bincode said.
        reason: String,
    },
    /// The bytes are not a value of the type.
    #[error("cannot be decoded: {reason}")]
    Decode {
        /// What serde or bincode said.
        reason: String,
    },
    /// The value that comes back would differ from the one that was sent.
    #[error("does not survive encoding: {reason}")]
    Lossy {
        /// What went wrong on the way back.
        reason: String,
    },
    /// The encoded value is larger than [`MAX_PAYLOAD`].
    #[error("takes {size} bytes; at most {MAX_PAYLOAD} can be passed")]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
}

impl CodecError {
    /// Returns advice.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "write large data to a file and pass its path",
            Self::Encode { reason } | Self::Lossy { reason } if reason.contains(TOO_DEEP) => {
                "write it as a list, with indices in place of boxes, or to a file and pass its path"
            }
            Self::Decode { .. } => "was the program rebuilt with another definition of the type?",
            Self::Encode { .. } | Self::Lossy { .. } => {
                "serde's flatten, untagged, tag = … and skip_serializing_if need a self-describing \
                 format: wrap the value in slurm::Json<T>"
            }
        }
    }
}

/// Returns the encoding of `value`.
///
/// # Errors
/// [`CodecError::Encode`] if serde refuses, [`CodecError::TooLarge`] over [`MAX_PAYLOAD`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let encoded = secret::allowed(|| bincode::serde::encode_to_vec(encode::Limited(value), CONFIG));
    let bytes = encoded.map_err(|error| CodecError::Encode {
        reason: match error {
            EncodeError::OtherString(message) => message,
            other => other.to_string(),
        },
    })?;
    if bytes.len() > MAX_PAYLOAD {
        Err(CodecError::TooLarge { size: bytes.len() })
    } else {
        Ok(bytes)
    }
}

/// Returns the value that `bytes` encode, all of them.
///
/// # Errors
/// [`CodecError::Decode`] if they do not encode exactly one `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let decoded = decode::counted(bytes.len(), || bincode::serde::decode_from_slice(bytes, CONFIG));
    match decoded {
        Ok((decode::Limited(value), used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(CodecError::Decode {
            reason: format!("{} bytes are left over", bytes.len() - used),
        }),
        Err(error) => Err(CodecError::Decode { reason: describe(&error) }),
    }
}

/// Replaces messages of bincode that only its developers understand.
fn describe(error: &DecodeError) -> String {
    match error {
        DecodeError::Serde(
            SerdeError::AnyNotSupported
            | SerdeError::IdentifierNotSupported
            | SerdeError::IgnoredAnyNotSupported,
        ) => SELF_DESCRIBING.to_owned(),
        DecodeError::UnexpectedEnd { additional } => format!("{additional} bytes are missing"),
        DecodeError::LimitExceeded => format!("it claims to be longer than {MAX_PAYLOAD} bytes"),
        DecodeError::OtherString(message) => message.clone(),
        other => other.to_string(),
    }
}

/// Returns the encoding of `value` after trying that it decodes.
///
/// This takes about three times as long as [`encode`]; it is what keeps a type that this encoding
/// cannot carry from failing on a compute node an hour later.
///
/// # Errors
/// As [`encode`], and [`CodecError::Lossy`] if the bytes do not give the value back.
pub fn encode_checked<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = encode(value)?;
    let back: T = decode(&bytes).map_err(|error| match error {
        CodecError::Decode { reason } => CodecError::Lossy { reason },
        other => other,
    })?;
    // Only the lengths: a hash map may come back in another order.
    if encode(&back)?.len() == bytes.len() {
        Ok(bytes)
    } else {
        Err(CodecError::Lossy { reason: "it encodes differently after a round trip".to_owned() })
    }
}

/// Returns a value as JSON for people, or `None` if JSON cannot hold it or it is a secret.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(&encode::Limited(value)).ok()
}

/// Carries a value as JSON inside the binary encoding.
///
/// For types that need a self-describing format: types with `#[serde(flatten)]`, untagged or
/// internally tagged enums, `skip_serializing_if`, or `serde_json::Value` inside.
///
/// ```
/// use slurm_core::codec::{Json, decode, encode_checked};
///
/// let value = Json(serde_json::json!({ "lr": 0.1, "layers": [64, 64] }));
/// assert!(encode_checked(&value.0).is_err());
/// let bytes = encode_checked(&value)?;
/// assert_eq!(decode::<Json<serde_json::Value>>(&bytes)?, value);
/// # Ok::<(), slurm_core::codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Json<T>(pub T);

impl<T> Json<T> {
    /// Returns the value inside.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        let text =
            serde_json::to_string(&encode::Limited(&self.0)).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return T::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Secret, was_encoded};
    use std::collections::HashMap;

    #[test]
    fn a_secret_travels_and_is_noticed() {
        was_encoded();
        encode(&"no secret").unwrap();
        assert!(!was_encoded());
        let secret = Secret::new("hunter2".to_owned());
        let bytes = encode_checked(&(7, vec![Some(secret.clone())])).unwrap();
        assert!(was_encoded() && !was_encoded());
        let (_, back) = decode::<(i32, Vec<Option<Secret<String>>>)>(&bytes).unwrap();
        assert_eq!(back[0].as_ref().map(Secret::expose).map(String::as_str), Some("hunter2"));
        let bytes = encode_checked(&Json(secret.clone())).unwrap();
        assert!(was_encoded());
        assert_eq!(decode::<Json<Secret<String>>>(&bytes).unwrap().0, secret);
    }

    #[test]
    fn values_come_back() {
        let value = (
            7_u64,
            "ä".to_owned(),
            vec![1.5_f64, f64::INFINITY],
            Some(HashMap::from([(1, 2), (3, 4)])),
        );
        assert_eq!(
            decode::<(u64, String, Vec<f64>, Option<HashMap<i32, i32>>)>(
                &encode_checked(&value).unwrap()
            )
            .unwrap(),
            value
        );
    }

    #[test]
    fn a_large_list_of_small_parts_is_decoded() {
        let pixels: Vec<[u8; 3]> = vec![[1, 2, 3]; 2_000_000];
        assert_eq!(decode::<Vec<[u8; 3]>>(&encode_checked(&pixels).unwrap()).unwrap(), pixels);
        let pairs: Vec<(u8, bool)> = vec![(7, true); 2_000_000];
        assert_eq!(decode::<Vec<(u8, bool)>>(&encode_checked(&pairs).unwrap()).unwrap(), pairs);
    }

    #[test]
    fn a_length_that_lies_reserves_no_memory() {
        let huge = [u64::MAX.to_le_bytes().as_slice(), b"abcd"].concat();
        assert!(decode::<String>(&huge).is_err());
        assert!(decode::<Vec<u64>>(&huge).is_err());
        let gibibyte = [(1_u64 << 29).to_le_bytes().as_slice(), b"abcd"].concat();
        assert!(decode::<String>(&gibibyte).is_err());
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let error = decode::<u32>(&[0; 6]).unwrap_err();
        assert_eq!(error.to_string(), "cannot be decoded: 2 bytes are left over");
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        maybe: Option<u32>,
        after: u64,
    }

    #[test]
    fn a_type_that_bincode_cannot_carry_is_found_before_it_travels() {
        let value = Skipping { maybe: None, after: 3 };
        assert!(matches!(encode_checked(&value), Err(CodecError::Lossy { .. })));
        assert_eq!(
            decode::<Json<Skipping>>(&encode_checked(&Json(value)).unwrap()).unwrap().0,
            Skipping { maybe: None, after: 3 }
        );
    }

    /// A list of boxes, taken apart and dropped box by box: only the codec is to recurse.
    #[derive(Debug, Serialize, Deserialize)]
    enum List {
        End,
        Link(Box<List>),
    }

    impl List {
        fn of(links: usize) -> Self {
            (0..links).fold(Self::End, |rest, _| Self::Link(Box::new(rest)))
        }

        fn take_apart(mut self) -> usize {
            let mut links = 0;
            while let Self::Link(rest) = self {
                (self, links) = (*rest, links + 1);
            }
            links
        }
    }

    const LINK: [u8; 4] = 1_u32.to_le_bytes();

    #[test]
    fn a_value_of_ten_million_levels_is_an_error_in_both_directions() {
        let list = List::of(10_000_000);
        let encoded = encode(&list).unwrap_err();
        let checked = encode_checked(&Json(())).map(drop);
        assert_eq!(
            encoded.to_string(),
            format!("cannot be encoded: it is nested deeper than {MAX_DEPTH} levels")
        );
        assert!(encoded.hint().contains("indices"), "{}", encoded.hint());
        let in_json = encode(&Json(&list)).unwrap_err();
        assert!(in_json.to_string().contains(TOO_DEEP), "{in_json}");
        assert_eq!((list.take_apart(), checked), (10_000_000, Ok(())));

        let bytes = LINK.repeat(10_000_000);
        let decoded = decode::<List>(&bytes).unwrap_err();
        assert!(decoded.to_string().contains(TOO_DEEP), "{decoded}");
        let json = format!("{}\"End\"{}", "{\"Link\":".repeat(1_000_000), "}".repeat(1_000_000));
        let in_json = decode::<Json<List>>(&encode(&json).unwrap()).unwrap_err();
        assert!(in_json.to_string().contains("recursion limit"), "{in_json}");
    }

    #[test]
    fn as_many_levels_as_are_allowed_come_back_on_a_small_stack() {
        let on_small_stack = || {
            let list = List::of(usize::from(MAX_DEPTH));
            let bytes = encode_checked(&list).unwrap();
            assert_eq!(decode::<List>(&bytes).unwrap().take_apart(), usize::from(MAX_DEPTH));
            assert!(encode(&List::of(usize::from(MAX_DEPTH) + 1)).is_err());
        };
        std::thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(on_small_stack)
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn a_list_of_nothings_may_not_keep_the_decoder_busy() {
        let error = decode::<Vec<()>>(&u64::MAX.to_le_bytes()).unwrap_err();
        assert!(error.to_string().contains("more parts than it has bytes"), "{error}");
        let some = vec![(); 1000];
        assert_eq!(decode::<Vec<()>>(&encode(&some).unwrap()).unwrap(), some);
    }
}
