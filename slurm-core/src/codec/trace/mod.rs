//! Whether a type can travel, found out without a value of it.
//!
//! A type is read from a source that answers every question: the smallest number, one element, each variant of an
//! enum in turn. The questions show whether the type needs a self-describing format, and the value that was read is
//! encoded and read back as any other value.

mod source;

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _};

use super::{CodecError, SELF_DESCRIBING, encode_checked};

/// How often a type is read at most: enums with more variants than that are not looked at as a whole.
const MOST: usize = 128;

/// Below this, options and lists are empty, which ends a type that holds itself.
const DEPTH: u16 = 8;

/// The deepest level from which on options and lists are empty in some reading.
const EMPTY_FROM: u16 = 4;

/// How many parts are read at most in all, which takes a few milliseconds: long arrays, and types that contain
/// themselves more than once, are not checked as a whole.
const PARTS: usize = 1 << 15;

/// Checks that values of the type can travel, as far as this can be known without a value.
///
/// A type may have rules beyond the forms of its parts. A type that refuses every value offered here passes; its
/// values are checked when they are encoded.
///
/// # Errors
/// [`CodecError::Lossy`] if a value of the type does not survive, or none can be read back.
pub fn check_type<T: Serialize + DeserializeOwned>() -> Result<(), CodecError> {
    // Once with content everywhere, then with none from some level on, where fields may be left out.
    let mut parts = PARTS;
    for full in [DEPTH].into_iter().chain(0..EMPTY_FROM) {
        let mut variants = Variants::default();
        for _ in 0..MOST {
            variants.begin();
            let mut source = Source { variants: &mut variants, full, parts, needs: false };
            let read = T::deserialize(At { source: &mut source, depth: 0 });
            parts = source.parts;
            if source.needs {
                return Err(CodecError::Lossy { reason: SELF_DESCRIBING.to_owned() });
            }
            if let Ok(value) = read
                && let Err(error @ (CodecError::Lossy { .. } | CodecError::Encode { .. })) =
                    encode_checked(&value)
            {
                return Err(error);
            }
            if parts == 0 {
                return Ok(());
            }
            if !variants.are_left() {
                break;
            }
        }
    }
    Ok(())
}

/// The variants of each enum that were read.
#[derive(Default)]
struct Variants {
    /// The number of variants, and how many were read, for each enum.
    known: BTreeMap<(&'static str, usize), u32>,
    /// Whether this reading has come to a variant that was not read before.
    news: bool,
}

impl Variants {
    fn begin(&mut self) {
        self.news = false;
    }

    fn next(&mut self, name: &'static str, count: usize, depth: u16) -> u32 {
        let read = self.known.entry((name, count)).or_insert(0);
        if (*read as usize) < count && depth < DEPTH {
            self.news = true;
            *read += 1;
            return *read - 1;
        }
        // Another one at each level, as only some of them may hold their own enum again.
        u32::from(depth) % u32::try_from(count).unwrap_or(1).max(1)
    }

    fn are_left(&self) -> bool {
        self.news
    }
}

struct Source<'a> {
    variants: &'a mut Variants,
    /// The level from which on options and lists are empty, and numbers zero.
    full: u16,
    parts: usize,
    /// Whether something was asked for that only a self-describing format can tell.
    needs: bool,
}

struct At<'s, 'a> {
    source: &'s mut Source<'a>,
    depth: u16,
}

impl<'a> At<'_, 'a> {
    fn fill(&self) -> bool {
        self.depth < self.source.full
    }

    fn below(&mut self) -> Result<At<'_, 'a>, Error> {
        self.source.parts =
            self.source.parts.checked_sub(1).ok_or_else(|| Error::custom("large"))?;
        // A type that holds itself without a list, an option or an enum in between cannot exist, and through an
        // enum it may be entered some times more.
        let depth = self.depth.checked_add(1).filter(|depth| *depth < 8 * DEPTH);
        let depth = depth.ok_or_else(|| Error::custom("deep"))?;
        Ok(At { source: &mut *self.source, depth })
    }

    fn needs<R>(self) -> Result<R, Error> {
        self.source.needs = true;
        Err(Error::custom(SELF_DESCRIBING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Json;
    use serde::Deserialize;
    use std::collections::{BTreeSet, HashMap};
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    #[derive(Serialize, Deserialize)]
    enum Tree {
        Node(Box<Tree>, Vec<Tree>),
        Leaf { value: f64, name: Option<String> },
        Nothing,
    }

    #[derive(Serialize, Deserialize)]
    struct Plain {
        tree: Tree,
        pair: (u8, char),
        map: HashMap<String, BTreeSet<i64>>,
        unit: (),
        array: [f32; 3],
        path: PathBuf,
        at: (SystemTime, Duration),
        nonzero: std::num::NonZeroU8,
        #[serde(skip)]
        _skipped: u64,
        json: Json<serde_json::Value>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { a: u8 },
        B,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind", content = "of")]
    enum Adjacent {
        A(u8),
        B,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u64),
        Text(String),
    }

    #[derive(Serialize, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }

    #[derive(Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        maybe: Option<u32>,
        after: u64,
    }

    /// Hides what it holds in the third variant of an enum in a list.
    #[derive(Serialize, Deserialize)]
    enum Hiding<T> {
        Nothing,
        Number(u8),
        More(Vec<Option<(u8, T)>>),
    }

    fn fails<T: Serialize + DeserializeOwned>() {
        assert!(check_type::<T>().is_err());
        assert!(check_type::<Hiding<T>>().is_err(), "deep inside");
        assert_eq!(check_type::<Json<T>>(), Ok(()), "the way around it");
    }

    #[test]
    fn a_type_that_needs_a_self_describing_format_is_found_without_a_value() {
        fails::<Tagged>();
        fails::<Adjacent>();
        fails::<Untagged>();
        fails::<Flat>();
        fails::<Skipping>();
        fails::<serde_json::Value>();
        let error = check_type::<Untagged>().unwrap_err().to_string();
        assert!(error.contains("self-describing format"), "{error}");
    }

    #[test]
    fn types_that_travel_pass() {
        assert_eq!(check_type::<Plain>(), Ok(()));
        assert_eq!(check_type::<Hiding<Tree>>(), Ok(()));
        assert_eq!(check_type::<Result<Vec<Tree>, String>>(), Ok(()));
        assert_eq!(check_type::<[[f64; 32]; 32]>(), Ok(()));
        assert_eq!(check_type::<()>(), Ok(()));
    }
}
