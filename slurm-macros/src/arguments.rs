//! The arguments of an attribute: `key = value, flag, …`.
//!
//! They are split at the commas first, so that a mistake in one does not hide those in the others.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::{Error, Lit, Path, Result};

use crate::function::flatten;

/// One argument.
pub(crate) struct Argument {
    /// The key as written, such as `time` or `cpus-per-task`.
    pub(crate) key: String,
    pub(crate) key_tokens: TokenStream,
    /// `None` if the key stands alone.
    pub(crate) value: Option<Value>,
}

/// The value after the `=`.
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) tokens: TokenStream,
}

/// The kinds of values.
pub(crate) enum ValueKind {
    Text(String),
    /// Its digits, perhaps after a `-`.
    Integer(String),
    Bool(bool),
    List(Vec<Item>),
    /// Names with strings or integers, in braces.
    Table(Vec<(Item, Item)>),
    /// A path, for example of a constant.
    Path,
}

/// A string or an integer in a list.
pub(crate) struct Item {
    pub(crate) text: String,
    pub(crate) is_text: bool,
    pub(crate) span: Span,
}

const EXPECTED: &str =
    "expected a string, an integer, `true`, `false`, a list of strings or a constant";

/// Returns the arguments in `tokens`, or for each the error.
pub(crate) fn parse(tokens: TokenStream) -> Vec<Result<Argument>> {
    split(tokens).into_iter().map(|part| parse_argument(&part?)).collect()
}

/// Splits at the commas; one may stand at the end.
fn split(tokens: TokenStream) -> Vec<Result<Vec<TokenTree>>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    for tree in flatten(tokens) {
        match tree {
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                parts.push(if part.is_empty() {
                    Err(Error::new(comma.span(), "expected something before this `,`"))
                } else {
                    Ok(std::mem::take(&mut part))
                });
            }
            tree => part.push(tree),
        }
    }
    if !part.is_empty() {
        parts.push(Ok(part));
    }
    parts
}

fn parse_argument(part: &[TokenTree]) -> Result<Argument> {
    let is_word = |tree: &TokenTree| matches!(tree, TokenTree::Ident(_));
    let in_key = |tree: &&TokenTree| is_word(tree) || is_sign(tree, '-');
    let (key, rest) = part.split_at(part.iter().take_while(in_key).count());
    let key_tokens = collect(key);
    if !key.last().is_some_and(is_word) {
        let message = "expected the name of an option, such as `time`";
        return Err(Error::new_spanned(collect(part), message));
    }
    if let Some([_, second]) = key.windows(2).find(|pair| pair.iter().all(is_word)) {
        return Err(Error::new(second.span(), "expected `,` before this"));
    }
    let key: String = key.iter().map(plain).collect();
    let value = match rest {
        [] => None,
        [equals] if is_sign(equals, '=') => {
            return Err(Error::new(
                equals.span(),
                format_args!("expected a value after `{key} =`"),
            ));
        }
        [equals, value @ ..] if is_sign(equals, '=') => {
            Some(Value { kind: parse_value(&key, value)?, tokens: collect(value) })
        }
        [other, ..] => {
            let message = format_args!("expected `=`: write `{key} = …`");
            return Err(Error::new(other.span(), message));
        }
    };
    Ok(Argument { key, key_tokens, value })
}

fn parse_value(key: &str, value: &[TokenTree]) -> Result<ValueKind> {
    match value {
        [TokenTree::Ident(word)] if word == "true" => Ok(ValueKind::Bool(true)),
        [TokenTree::Ident(word)] if word == "false" => Ok(ValueKind::Bool(false)),
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => {
            parse_list(list.stream()).map(ValueKind::List)
        }
        [TokenTree::Group(table)] if key == "env" && table.delimiter() == Delimiter::Brace => {
            parse_table(table.stream()).map(ValueKind::Table)
        }
        path if Path::parse_mod_style.parse2(collect(path)).is_ok() => Ok(ValueKind::Path),
        value => parse_literal(value, EXPECTED).map(|item| match item.is_text {
            true => ValueKind::Text(item.text),
            false => ValueKind::Integer(item.text),
        }),
    }
}

fn parse_list(tokens: TokenStream) -> Result<Vec<Item>> {
    let mut items = Ok(Vec::new());
    for part in split(tokens) {
        let item = part.and_then(|part| parse_literal(&part, "expected a string"));
        match (&mut items, item) {
            (Ok(items), Ok(item)) => items.push(item),
            (Err(errors), Err(error)) => Error::combine(errors, error),
            (Ok(_), Err(error)) => items = Err(error),
            (Err(_), Ok(_)) => {}
        }
    }
    items
}

fn parse_table(tokens: TokenStream) -> Result<Vec<(Item, Item)>> {
    let entry = |part: &[TokenTree]| match part {
        [TokenTree::Ident(name), equals, value @ ..]
            if is_sign(equals, '=') && !value.is_empty() =>
        {
            let name = Item { text: name.unraw().to_string(), is_text: true, span: name.span() };
            Ok((name, parse_literal(value, "expected a string")?))
        }
        other => Err(Error::new_spanned(collect(other), "expected `NAME = \"value\"`")),
    };
    split(tokens).into_iter().map(|part| entry(&part?)).collect()
}

/// Reads a string or an integer.
fn parse_literal(value: &[TokenTree], expected: &str) -> Result<Item> {
    let (sign, literal, rest) = match value {
        [minus, TokenTree::Literal(literal), rest @ ..] if is_sign(minus, '-') => {
            ("-", literal, rest)
        }
        [TokenTree::Literal(literal), rest @ ..] => ("", literal, rest),
        _ => return Err(Error::new_spanned(collect(value), expected)),
    };
    if let [next @ (TokenTree::Ident(_) | TokenTree::Literal(_)), ..] = rest {
        return Err(Error::new(next.span(), "expected `,` before this"));
    }
    let refuse = |write: String| {
        let message = format_args!("{expected}; write `{write}`");
        Err(Error::new_spanned(collect(value), message))
    };
    let item = |text, is_text| Ok(Item { text, is_text, span: literal.span() });
    match (sign, Lit::new(literal.clone())) {
        _ if !rest.is_empty() => Err(Error::new_spanned(collect(value), expected)),
        ("", Lit::Str(text)) if text.suffix().is_empty() => item(text.value(), true),
        (_, Lit::Int(number)) => {
            let digits = format!("{sign}{}", number.base10_digits());
            match number.suffix() {
                "" => item(digits, false),
                of_a_type if of_a_type.starts_with(['i', 'u']) => refuse(digits),
                unit => refuse(format!("\"{digits}{unit}\"")),
            }
        }
        ("", Lit::Char(char)) => refuse(format!("{:?}", char.value().to_string())),
        _ => Err(Error::new_spanned(collect(value), expected)),
    }
}

fn is_sign(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Returns the text of `tree`, an identifier without `r#`.
fn plain(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Ident(ident) => ident.unraw().to_string(),
        other => other.to_string(),
    }
}

fn collect(trees: &[TokenTree]) -> TokenStream {
    trees.iter().map(ToTokens::to_token_stream).collect()
}
