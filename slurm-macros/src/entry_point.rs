//! `#[slurm::main]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

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
    let vis = &function.vis;
    let mut refusals = Errors::default();
    check(&function, &mut refusals);
    let mut name = function.name.clone();
    name.set_span(Span::call_site().located_at(name.span()));
    let attrs = attributes::select(&function.attrs, &[CONDITIONS, LINTS]);
    if !refusals.is_empty() {
        let (errors, refusals) = (errors.to_tokens(), refusals.to_tokens());
        return quote! {
            #attrs
            #vis fn #name() {
                #[allow(dead_code)]
                #item
            }
            #errors
            #refusals
        };
    }

    let mixed = Span::mixed_site();
    let (start, cluster) = match function.inputs.first().and_then(|input| input.ty.as_ref()) {
        Some(ty) => {
            let span = mixed.located_at(ty.span());
            (quote!(main_with_cluster), quote_spanned!(span=> cluster))
        }
        None => (quote!(main_plain), TokenStream::new()),
    };
    let returns_result = function.output.as_ref().is_some_and(Output::is_result);
    let mut called = name.clone();
    if let Some(output) = &function.output {
        called.set_span(called.span().located_at(output.span()));
    }
    let call = quote_spanned!(mixed=> #called(#cluster));
    let report = if returns_result {
        let span = mixed.located_at(function.output.span());
        let fail = quote_spanned!(span=> (&&#krate::__private::MainError::new(error)).report());
        quote_spanned! {mixed=>
            match #krate::__private::TaskResult::into_result(#call) {
                ::core::result::Result::Ok(value) => ::std::process::Termination::report(value),
                ::core::result::Result::Err(error) => {
                    use #krate::__private::{ReportDisplay as _, ReportError as _};
                    #fail
                }
            }
        }
    } else if let Some(Type::Never(_)) = &function.output {
        call
    } else {
        quote_spanned!(mixed=> ::std::process::Termination::report(#call))
    };
    let errors = errors.to_tokens();
    quote! {
        #attrs
        #vis fn #name() -> ::std::process::ExitCode {
            #item
            #krate::__private::#start(|#cluster| #report)
        }
        #errors
    }
}

/// Reports what keeps `function` from being a program's `main`.
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
        errors.over(&clause.where_token, "`main` cannot have a `where` clause");
    }
    if let Some(span) = function.variadic {
        errors.at(span, "`main` cannot be variadic");
    }
    for (position, input) in function.inputs.iter().enumerate() {
        match (&input.pattern, &input.ty) {
            (Pattern::Receiver(tokens), _) => errors.over(tokens, "`main` cannot be a method"),
            (_, ty) if position > 0 => {
                errors.over(ty, "`main` takes the cluster and nothing else");
            }
            _ => {}
        }
    }
}
