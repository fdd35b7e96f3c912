//! Types that are text in files.

/// Makes serde read and write a type as text by `FromStr` and `Display`, for types with
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! text_form {
    ($type:ty, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use text_form;
