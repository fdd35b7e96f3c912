//! Types as text.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Returns `tokens` as text that depends on nothing but the tokens: not on line breaks or spaces in
/// the source, nor on how the compiler prints.
pub(crate) fn of_type(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(&mut text, tokens);
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                push(text, open);
                write(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                '+' => text.push_str(" +"),
                '=' => text.push_str(" ="),
                '-' if punct.spacing() == Spacing::Joint => text.push_str(" -"),
                '>' if text.ends_with(" -") => text.push('>'),
                sign @ (',' | ';' | '>') => text.push(sign),
                sign => push(text, sign.encode_utf8(&mut [0; 4])),
            },
            TokenTree::Ident(ident) => push(text, &ident.to_string()),
            TokenTree::Literal(literal) => push(text, &literal.to_string()),
        }
    }
}

/// Appends `word`, with a space before it where one belongs or the two words would merge.
fn push(text: &mut String, word: &str) {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let runs_on =
        text.ends_with(|c| in_word(c) || c == '>') && word.starts_with(|c| in_word(c) || c == '\'');
    if runs_on || [",", ";", " +", " =", " ->"].iter().any(|before| text.ends_with(before)) {
        text.push(' ');
    }
    text.push_str(word);
}

/// Returns the FNV-1a hash of `parts`, in 64 bits.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    // UTF-8 text never holds 0xff, so it keeps ("ab", "c") apart from ("a", "bc").
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        of_type(source.parse().unwrap())
    }

    #[test]
    fn types_read_as_one_would_write_them() {
        for ty in [
            "()",
            "u64",
            "&str",
            "&[f64]",
            "(u8, String)",
            "[u8; 4]",
            "anyhow::Result<Vec<Option<Model>>>",
            "HashMap<String, Box<dyn Fn(u8, &str) -> &[u8] + Send>>",
            "(u8,)",
            "fn(u8) -> (u8, u8)",
            "<Vec<u8> as IntoIterator>::Item",
            "Cow<'static, str>",
            "&'static str",
            "Iterator<Item = u8>",
            "r#type",
        ] {
            assert_eq!(text(ty), ty);
        }
    }

    #[test]
    fn spaces_and_line_breaks_do_not_matter() {
        assert_eq!(text("Vec <\n  ( u8,String ) >"), text("Vec<(u8, String)>"));
    }

    #[test]
    fn a_hash_depends_on_where_parts_end() {
        assert_eq!(hash([]), 0xcbf2_9ce4_8422_2325);
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
    }
}
