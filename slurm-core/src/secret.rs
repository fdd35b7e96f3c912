//! Values that must not be shown by accident.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use zeroize::Zeroize;

/// A value that must not be shown by accident: a token, a password.
///
/// As an argument of a task it travels in the spec, a file in the job's directory that then only its owner
/// can read; `explain()` warns of it. It is better to pass the place of a secret: the path of a file or the name of a
/// variable.
///
/// - `Debug` shows `Secret(…)`, and `Display` does not exist.
/// - It is overwritten in memory when it is dropped. Its encoded form, which travels, is not.
/// - It is written by serde only as part of an argument or a result; anywhere else that is an error. It can be
///   read from anywhere, a configuration file for example.
///
/// ```
/// use slurm_core::Secret;
///
/// let token = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{token:?}"), "Secret(…)");
/// assert_eq!(token.expose(), "hunter2");
/// assert!(serde_json::to_string(&token).is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Returns `value` as a secret.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> zeroize::ZeroizeOnDrop for Secret<T> {}

impl<T: Zeroize + Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !ALLOWED.get() {
            return Err(S::Error::custom(
                "a secret is written only as part of an argument or a result",
            ));
        }
        SEEN.set(true);
        self.0.serialize(serializer)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

thread_local! {
    static ALLOWED: Cell<bool> = const { Cell::new(false) };
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `encode`, in which secrets may be written.
pub(crate) fn allowed<R>(encode: impl FnOnce() -> R) -> R {
    let before = ALLOWED.replace(true);
    let encoded = encode();
    ALLOWED.set(before);
    encoded
}

/// Returns whether a secret was encoded in this thread since this was last asked.
pub fn was_encoded() -> bool {
    SEEN.replace(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_nowhere_else() {
        let secret = Secret::new(vec![1_u8, 2]);
        let error = serde_json::to_string(&Some(&secret)).unwrap_err();
        assert!(error.to_string().contains("only as part of an argument"), "{error}");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(…) Some(\n    Secret(…),\n)"
        );
        assert_eq!(serde_json::from_str::<Secret<Vec<u8>>>("[1, 2]").unwrap(), secret);
    }

    #[test]
    fn a_secret_is_overwritten_when_it_is_dropped() {
        use std::sync::atomic::{AtomicBool, Ordering};
        static OVERWRITTEN: AtomicBool = AtomicBool::new(false);
        struct Noticing;
        impl Zeroize for Noticing {
            fn zeroize(&mut self) {
                OVERWRITTEN.store(true, Ordering::SeqCst);
            }
        }
        drop(Secret::new(Noticing));
        assert!(OVERWRITTEN.load(Ordering::SeqCst));
    }
}
