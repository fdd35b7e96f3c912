//! Formats tokens as people write them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns the text of the tokens on one line.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    print(tokens.to_token_stream(), &mut text);
    text
}

fn print(tokens: TokenStream, text: &mut String) {
    let mut joint = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                if open == "{" || text.ends_with("->") || text.ends_with("for") {
                    text.push(' ');
                }
                text.push_str(open);
                print(group.stream(), text);
                if text.ends_with(", ") || text.ends_with(',') {
                    text.truncate(text.trim_end_matches([',', ' ']).len());
                }
                text.push_str(close);
                joint = false;
            }
            TokenTree::Punct(punct) => {
                let sign = punct.as_char();
                let spaced_before = matches!(sign, '=' | '+' | '{')
                    || (sign == '-' && punct.spacing() == Spacing::Joint)
                    || (sign == '&' && text.ends_with([',', ':', '=', '+']))
                    || (sign == '\'' && needs_space(text));
                let after_word =
                    text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '>' | ')' | ']'));
                if !joint && (spaced_before && !text.ends_with(' ') || sign == '&' && after_word) {
                    text.push(' ');
                }
                if sign == '*' && text.ends_with(|c: char| c.is_alphanumeric()) {
                    text.push(' ');
                }
                text.push(sign);
                let colon =
                    sign == ':' && punct.spacing() == Spacing::Alone && !text.ends_with("::");
                if colon
                    || matches!(sign, ',' | ';')
                    || sign == '+'
                    || sign == '='
                    || text.ends_with("->")
                {
                    text.push(' ');
                }
                joint = punct.spacing() == Spacing::Joint;
            }
            other => {
                if needs_space(text) {
                    text.push(' ');
                }
                text.push_str(&other.to_string());
                joint = false;
            }
        }
    }
}

/// Whether a word needs a space before it.
fn needs_space(text: &str) -> bool {
    let tick = text.rfind('\'').is_some_and(|at| text[at + 1..].is_empty());
    !tick
        && text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '>' | ')' | ']' | '"'))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn tokens_are_formatted_as_people_write_them() {
        for line in [
            "fn map<'a, I: IntoIterator<Item = T> + 'a>(&'a self, items: I) -> Result<Vec<I>, Error>",
            "fn get<T>(&self) -> Option<&T> where T: Default",
            "impl<T> From<T> for Box<dyn Fn(&str) -> bool + Send>",
            "const fn size(bytes: [u8; 4], pair: (u8, &mut str)) -> usize",
        ] {
            let tokens: proc_macro2::TokenStream = line.parse().unwrap();
            assert_eq!(text(&tokens), line);
        }
    }
}
