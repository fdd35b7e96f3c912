//! `#[slurm::main]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::attributes::{self, CONDITIONS, LINTS};
use crate::errors::Errors;
use crate::function::{Function, Pattern};
use crate::options;
use crate::parameters::Output;

/// Returns a `main` that starts the library and then calls `item`.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let krate = options::only_crate(arguments, &mut errors);
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            let errors = errors.to_tokens();
            return quote!(#item #errors);
        }
    };
    let mut refusals = Errors::default();
    check(&function, &mut refusals);
    let body = if refusals.is_empty() {
        let body = body(&function, &krate, item);
        quote!(-> ::std::process::ExitCode { #body })
    } else {
        quote!({ #[allow(dead_code)] #item })
    };
    let name = name_at(&function, function.name.span());
    let vis = &function.vis;
    let attrs = attributes::select(&function.attrs, &[CONDITIONS, LINTS]);
    let (errors, refusals) = (errors.to_tokens(), refusals.to_tokens());
    quote! {
        #attrs
        #vis fn #name() #body

        #errors
        #refusals
    }
}

/// Returns the body of `main`: it holds the user's function, has it called, and turns its result into an exit
/// code.
fn body(function: &Function, krate: &TokenStream, item: &TokenStream) -> TokenStream {
    let mixed = Span::mixed_site();
    let (start, cluster) = match function.inputs.first().and_then(|input| input.ty.as_ref()) {
        Some(ty) => {
            let span = mixed.located_at(ty.span());
            (quote!(main_with_cluster), quote_spanned!(span=> cluster))
        }
        None => (quote!(main_plain), TokenStream::new()),
    };
    let place = function.output.as_ref().map_or(function.name.span(), Spanned::span);
    let name = name_at(function, place);
    let call = quote_spanned!(mixed=> #name(#cluster));
    let report = match &function.output {
        Some(output) if Output::is_result(output) => {
            let span = mixed.located_at(place);
            let fail =
                quote_spanned!(span=> (&&&&&#krate::__private::MainError::new(error)).report());
            quote_spanned! {mixed=>
                match #krate::__private::TaskResult::into_result(#call) {
                    ::core::result::Result::Ok(value) => ::std::process::Termination::report(value),
                    ::core::result::Result::Err(error) => {
                        use #krate::__private::{
                            ReportDebug as _, ReportDisplay as _, ReportError as _, ReportHeld as _,
                            ReportLocalError as _,
                        };
                        #fail
                    }
                }
            }
        }
        Some(Type::Never(_)) => call,
        _ => quote_spanned!(mixed=> ::std::process::Termination::report(#call)),
    };
    quote! {
        #item
        #krate::__private::#start(|#cluster| #report)
    }
}

/// Returns the function's name at `place`, as an identifier that the macro wrote.
fn name_at(function: &Function, place: Span) -> Ident {
    let mut name = function.name.clone();
    name.set_span(Span::call_site().located_at(place));
    name
}

/// Reports why `function` cannot be a program's `main`.
fn check(function: &Function, errors: &mut Errors) {
    if let Some(token) = &function.asyncness {
        let message = "`main` cannot be `async`: build a runtime in it and block on the future";
        errors.over(token, message);
    }
    if let Some(token) = &function.unsafety {
        errors.over(token, "`main` cannot be `unsafe`");
    }
    if let Some(abi) = &function.abi {
        errors.over(abi, "`main` cannot have an ABI of its own: leave `extern` out");
    }
    for parameter in &function.generics.params {
        errors.over(parameter, "`main` cannot be generic");
    }
    if let Some(clause) = &function.where_clause {
        errors.at(clause.where_token.span, "`main` cannot have a `where` clause");
    }
    for (position, input) in function.inputs.iter().enumerate() {
        match (&input.pattern, &input.ty) {
            (Pattern::Receiver(tokens), _) => errors.over(tokens, "`main` cannot be a method"),
            (Pattern::Variadic(span), _) => errors.at(*span, "`main` cannot be variadic"),
            (_, ty) if position > 0 => {
                errors.over(ty, "`main` takes the cluster and nothing else");
            }
            _ => {}
        }
    }
}
