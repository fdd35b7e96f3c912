//! A serializer that refuses values which are nested too deeply.

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{MAX_DEPTH, TOO_DEEP};

/// A value that is encoded with at most [`MAX_DEPTH`] levels below it.
pub(super) struct Limited<'a, T: ?Sized>(pub(super) &'a T);

impl<T: Serialize + ?Sized> Serialize for Limited<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Counting { inner: serializer, levels: MAX_DEPTH })
    }
}

/// A part of a value, one level further in.
struct Part<'a, T: ?Sized> {
    value: &'a T,
    levels: u16,
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Counting { inner: serializer, levels: self.levels })
    }
}

/// Hands everything on to another serializer, and counts the levels.
struct Counting<S> {
    inner: S,
    /// How many may still follow.
    levels: u16,
}

impl<S: Serializer> Counting<S> {
    fn deeper(&self) -> Result<u16, S::Error> {
        self.levels.checked_sub(1).ok_or_else(|| S::Error::custom(TOO_DEEP))
    }
}

macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $method(self, $($argument: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($argument),*)
        })*
    };
}

macro_rules! compound {
    ($($method:ident($($argument:ident: $type:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $($argument: $type),*) -> Result<Self::$compound, S::Error> {
            let levels = self.deeper()?;
            Ok(Counting { inner: self.inner.$method($($argument),*)?, levels })
        })*
    };
}

impl<S: Serializer> Serializer for Counting<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Counting<S::SerializeSeq>;
    type SerializeTuple = Counting<S::SerializeTuple>;
    type SerializeTupleStruct = Counting<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Counting<S::SerializeTupleVariant>;
    type SerializeMap = Counting<S::SerializeMap>;
    type SerializeStruct = Counting<S::SerializeStruct>;
    type SerializeStructVariant = Counting<S::SerializeStructVariant>;

    hand_on! {
        serialize_bool(v: bool);
        serialize_i8(v: i8);
        serialize_i16(v: i16);
        serialize_i32(v: i32);
        serialize_i64(v: i64);
        serialize_i128(v: i128);
        serialize_u8(v: u8);
        serialize_u16(v: u16);
        serialize_u32(v: u32);
        serialize_u64(v: u64);
        serialize_u128(v: u128);
        serialize_f32(v: f32);
        serialize_f64(v: f64);
        serialize_char(v: char);
        serialize_str(v: &str);
        serialize_bytes(v: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let levels = self.deeper()?;
        self.inner.serialize_some(&Part { value, levels })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let levels = self.deeper()?;
        self.inner.serialize_newtype_struct(name, &Part { value, levels })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let levels = self.deeper()?;
        self.inner.serialize_newtype_variant(name, index, variant, &Part { value, levels })
    }

    compound! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! unnamed {
    ($($trait:ident::$method:ident;)*) => {
        $(impl<C: $trait> $trait for Counting<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.inner.$method(&Part { value, levels: self.levels })
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

unnamed! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! named {
    ($($trait:ident;)*) => {
        $(impl<C: $trait> $trait for Counting<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.inner.serialize_field(key, &Part { value, levels: self.levels })
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

named! {
    SerializeStruct;
    SerializeStructVariant;
}

impl<C: SerializeMap> SerializeMap for Counting<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(&Part { value: key, levels: self.levels })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Part { value, levels: self.levels })
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
