//! What an option is set to.

/// What an option is set to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OptionValue {
    /// Nothing: takes back what a source of lower precedence set, as `exclusive = false` does.
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
