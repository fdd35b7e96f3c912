//! Whether a type can travel, found out without a value of it.
//!
//! A type is read from a source that has an answer to everything it asks for: the smallest number, one element,
//! each variant of an enum in turn. What it asks for shows whether it needs a self-describing format, and what
//! comes out is encoded and read back as a value would be.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::value::{Error, U32Deserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _,
    IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{CodecError, SELF_DESCRIBING, encode_checked};

/// How often a type is read at most: enums with more variants than that are not looked at as a whole.
const MOST: usize = 128;

/// Below this, options and lists are empty, which ends a type that holds itself.
const DEPTH: u16 = 8;

/// How far down it is tried that options and lists begin to be empty.
const EMPTY_FROM: u16 = 4;

/// How many parts are read at most in all, which takes a few milliseconds: long arrays, and types that hold
/// themselves more than once, are not looked at as a whole.
const PARTS: usize = 1 << 15;

/// Checks that values of the type can travel, as far as that can be known without one.
///
/// What a type accepts besides the forms of its parts is not known here, so one that refuses every value that
/// it is offered passes: its values are tried when they are there.
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

/// Which variants of which enums were read.
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

macro_rules! numbers {
    ($($method:ident: $visit:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.fill().into())
        })*
    };
}

macro_rules! leaves {
    ($($method:ident: $visit:ident($($value:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($value)?)
        })*
    };
}

macro_rules! asks {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            self.needs()
        })*
    };
}

impl<'de> Deserializer<'de> for At<'_, '_> {
    type Error = Error;

    asks! { deserialize_any deserialize_ignored_any deserialize_identifier }

    numbers! {
        deserialize_bool: visit_bool;
        deserialize_i8: visit_i8;
        deserialize_i16: visit_i16;
        deserialize_i32: visit_i32;
        deserialize_i64: visit_i64;
        deserialize_i128: visit_i128;
        deserialize_u8: visit_u8;
        deserialize_u16: visit_u16;
        deserialize_u32: visit_u32;
        deserialize_u64: visit_u64;
        deserialize_u128: visit_u128;
        deserialize_f32: visit_f32;
        deserialize_f64: visit_f64;
    }

    leaves! {
        deserialize_char: visit_char('a');
        deserialize_bytes: visit_bytes(&[]);
        deserialize_byte_buf: visit_byte_buf(Vec::new());
        deserialize_unit: visit_unit();
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(if self.fill() { "a" } else { "" })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.fill() { visitor.visit_some(self.below()?) } else { visitor.visit_none() }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self.below()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = usize::from(self.fill());
        visitor.visit_seq(Parts { at: self, left })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = usize::from(self.fill());
        visitor.visit_map(Parts { at: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { at: self, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = self.source.variants.next(name, variants.len(), self.depth);
        visitor.visit_enum(Variant { at: self, variant })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a list, a tuple or a map.
struct Parts<'s, 'a> {
    at: At<'s, 'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.at.below()?).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.at.below()?)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Variant<'s, 'a> {
    at: At<'s, 'a>,
    variant: u32,
}

impl<'de, 's, 'a> EnumAccess<'de> for Variant<'s, 'a> {
    type Error = Error;
    type Variant = At<'s, 'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, At<'s, 'a>), Error> {
        let variant: U32Deserializer<Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self.at))
    }
}

impl<'de> VariantAccess<'de> for At<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.below()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: de::Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
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
