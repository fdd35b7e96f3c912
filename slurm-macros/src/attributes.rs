//! The attributes of a function that the items generated beside it need too.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, LitStr};

/// Decides whether the item exists.
pub(crate) const CONDITIONS: &[&str] = &["cfg"];
/// Keeps lints that the function does not want away from its types elsewhere.
pub(crate) const LINTS: &[&str] = &["allow", "expect"];
/// Says who should not use the function.
pub(crate) const DEPRECATION: &[&str] = &["deprecated"];
/// Keeps the function out of the documentation.
pub(crate) const HIDING: &[&str] = &["doc(hidden)"];

/// Returns the attributes of `attrs` that `wanted` names, also inside `cfg_attr`.
pub(crate) fn select(attrs: &[Attribute], wanted: &[&[&str]]) -> TokenStream {
    let metas = attrs.iter().filter_map(|attr| pick(&attr.meta.to_token_stream(), wanted));
    metas.map(|meta| quote!(#[#meta])).collect()
}

fn pick(meta: &TokenStream, wanted: &[&[&str]]) -> Option<TokenStream> {
    let mut trees = meta.clone().into_iter();
    let Some(TokenTree::Ident(name)) = trees.next() else { return None };
    let rest: TokenStream = trees.collect();
    let key = if name == "doc" {
        meta.to_string().split_whitespace().collect()
    } else {
        name.to_string()
    };
    if wanted.iter().any(|keys| keys.contains(&key.as_str())) {
        // A lint that the function is expected to trigger, a generated item may not trigger.
        let name = if key == "expect" { Ident::new("allow", name.span()) } else { name };
        return Some(quote!(#name #rest));
    }
    if key != "cfg_attr" {
        return None;
    }
    let Some(TokenTree::Group(group)) = rest.into_iter().next() else { return None };
    let content: Vec<_> = group.stream().into_iter().collect();
    let mut parts = content.split(|tree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ','));
    let condition: TokenStream = parts.next()?.iter().cloned().collect();
    let metas = parts.filter_map(|part| pick(&part.iter().cloned().collect(), wanted));
    let metas: Vec<_> = metas.collect();
    (!metas.is_empty()).then(|| quote!(#name(#condition, #(#metas),*)))
}

/// Returns the first line of the documentation in `attrs`, or nothing.
pub(crate) fn summary(attrs: &[Attribute]) -> String {
    let first_line = |attr: &Attribute| {
        let doc = attr.meta.require_name_value().ok().filter(|meta| meta.path.is_ident("doc"))?;
        let text: LitStr = syn::parse2(doc.value.to_token_stream()).ok()?;
        let text = text.value();
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    attrs.iter().find_map(first_line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn attributes_are_picked_by_name_also_inside_of_cfg_attr() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[inline]),
            parse_quote!(#[expect(deprecated)]),
            parse_quote!(#[cfg_attr(all(a, b), inline, deprecated(since = "1"), cfg(c))]),
            parse_quote!(#[doc(hidden)]),
            parse_quote!(#[doc = "hidden"]),
        ];
        let picked = |wanted: &[&[&str]]| {
            select(&attrs, wanted).to_string().split_whitespace().collect::<String>()
        };
        assert_eq!(picked(&[CONDITIONS]), "#[cfg(unix)]#[cfg_attr(all(a,b),cfg(c))]");
        assert_eq!(picked(&[LINTS, HIDING]), "#[allow(deprecated)]#[doc(hidden)]");
        assert_eq!(picked(&[DEPRECATION]), "#[cfg_attr(all(a,b),deprecated(since=\"1\"))]");
    }

    #[test]
    fn the_summary_is_the_first_line_that_says_something() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[inline]),
            parse_quote!(#[doc = ""]),
            parse_quote!(#[doc = " Trains a model."]),
            parse_quote!(#[doc = " And more."]),
        ];
        assert_eq!(summary(&attrs), "Trains a model.");
        assert_eq!(summary(&[]), "");
    }
}
