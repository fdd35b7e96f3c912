//! The value of an option that is set.

/// The value of an option that is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OptionValue {
    /// Nothing: removes the value of a source of lower precedence, as `exclusive = false` does.
    Unset,
    /// Given without a value.
    Flag,
    /// Given with a value, in canonical form.
    Value(String),
}

impl OptionValue {
    /// Returns the value, if there is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unset | Self::Flag => None,
        }
    }
}
