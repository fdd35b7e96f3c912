//! Enums whose values are words.

use std::fmt;

/// A text that an enum has no word for, such as `slrum` for a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownWord {
    /// The thing that the words name, such as `backend`.
    pub what: &'static str,
    /// The text.
    pub word: String,
    /// The words.
    pub expected: &'static [&'static str],
}

impl UnknownWord {
    #[doc(hidden)]
    #[must_use]
    pub fn new(what: &'static str, word: &str, expected: &'static [&'static str]) -> Self {
        Self { what, word: word.to_owned(), expected }
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} `{}`: expected {}", self.what, self.word, either(self.expected))
    }
}

impl std::error::Error for UnknownWord {}

/// Returns the words as a list in a sentence: `a, b or c`.
#[must_use]
pub fn either<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Gives each variant of an enum its word: `ALL`, `as_str`, `Display` and `FromStr`, whose error is an
/// [`UnknownWord`].
///
/// ```
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Colour {
///     Red,
///     Green,
///     Blue,
/// }
/// slurm_core::word_enum!(Colour, "colour", { Red: "red", Green: "green", Blue: "blue" });
/// assert_eq!("green".parse(), Ok(Colour::Green));
/// assert_eq!(Colour::Blue.to_string(), "blue");
/// assert_eq!(
///     "grey".parse::<Colour>().unwrap_err().to_string(),
///     "unknown colour `grey`: expected red, green or blue"
/// );
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! word_enum {
    ($type:ident, $what:literal, { $($variant:ident: $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::word_enum::UnknownWord;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::word_enum::UnknownWord::new($what, other, &[$($word),+])),
                }
            }
        }
    };
}
