//! The function that binds the arguments of many calls.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::run::codec_name;
use super::{Task, visibility};
use crate::attributes::{self, DEPRECATION};
use crate::function::plain_name;

/// The largest number of parameters for which items can be tuples.
const MOST: usize = 8;

impl Task<'_> {
    /// Returns `map`; nothing for a function with more than [`MOST`] parameters.
    pub(super) fn map(&self) -> TokenStream {
        let Self { function, krate, name, signature, .. } = self;
        let parameters = &signature.parameters;
        if parameters.len() > MOST {
            return TokenStream::new();
        }
        let private = self.private();
        let vis = visibility(&function.vis);
        let plain = plain_name(&function.name);
        let doc =
            format!("Returns an array that will call [`{plain}`](fn@{name}) once for each item.");
        let deprecation = attributes::select(&function.attrs, &[DEPRECATION]);
        let types = parameters.iter().filter_map(|parameter| parameter.stored.as_ref());
        let types = quote!((#(#types,)*));
        let mixed = Span::mixed_site();
        let variable = |index| format_ident!("argument_{index}", span = mixed);
        let variables: Vec<_> = (0..parameters.len()).map(variable).collect();
        let with =
            parameters.iter().zip(&variables).enumerate().map(|(index, (parameter, variable))| {
                let (text, codec) = (plain_name(&parameter.name), codec_name(index));
                quote_spanned!(mixed=> .with(#text, #codec, #variable))
            });
        quote_spanned! {mixed=>
            impl #name {
                #[doc = #doc]
                #deprecation
                #vis fn map<'items, Items>(items: Items) -> #krate::ArrayBuilder<'items, #name>
                where
                    Items: ::core::iter::IntoIterator,
                    Items::IntoIter: 'items,
                    Items::Item: #krate::IntoItem<#types>,
                {
                    #krate::ArrayBuilder::new(::core::iter::Iterator::map(
                        ::core::iter::IntoIterator::into_iter(items),
                        |item| {
                            let (#(#variables,)*) =
                                #krate::IntoItem::<#types>::into_item(item);
                            #private::CallArguments::new() #(#with)*
                        },
                    ))
                }
            }
        }
    }
}
