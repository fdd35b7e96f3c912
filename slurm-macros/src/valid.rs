//! Functions that cannot be tasks with any types.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::GenericParam;

use crate::errors::Errors;
use crate::function::{Function, Input, Pattern};

/// Reports what keeps `function` from being a task, except for the types in its signature.
pub(crate) fn check(function: &Function, errors: &mut Errors) {
    check_qualifiers(function, errors);
    check_generics(function, errors);
    let has_receiver = function.inputs.iter().any(Input::is_receiver);
    if let Some(span) = function.self_type().filter(|_| !has_receiver) {
        errors.at(
            span,
            "a task cannot be an associated function: move it out of the `impl` and name the type instead of `Self`",
        );
    }
    for input in &function.inputs {
        check_parameter(input, errors);
    }
}

fn check_qualifiers(function: &Function, errors: &mut Errors) {
    if let Some(token) = &function.asyncness {
        errors
            .over(token, "a task cannot be `async`: build a runtime in it and block on the future");
    }
    if let Some(token) = &function.unsafety {
        errors
            .over(token, "a task cannot be `unsafe`: put the `unsafe` block into a safe function");
    }
    if let Some(abi) = &function.abi {
        errors.over(abi, "a task cannot have an ABI of its own: leave `extern` out");
    }
}

fn check_generics(function: &Function, errors: &mut Errors) {
    for parameter in &function.generics.params {
        let (tokens, message): (TokenStream, _) = match parameter {
            GenericParam::Lifetime(parameter) => (
                parameter.lifetime.to_token_stream(),
                "a task cannot have lifetime parameters: write `&T`; the argument is lent for the \
                 whole call",
            ),
            GenericParam::Type(parameter) => (
                parameter.ident.to_token_stream(),
                "a task cannot be generic, because the job has to know the type: write a task for \
                 each type that calls the generic function",
            ),
            GenericParam::Const(parameter) => (
                parameter.ident.to_token_stream(),
                "a task cannot have const parameters: take the value as an argument",
            ),
        };
        errors.over(tokens, message);
    }
    if let Some(clause) = &function.where_clause {
        errors
            .at(clause.where_token.span, "a task cannot have a `where` clause: it is not generic");
    }
}

fn check_parameter(input: &Input, errors: &mut Errors) {
    match &input.pattern {
        Pattern::Name(_) => {}
        Pattern::Wildcard(span) => errors.at(
            *span,
            "a parameter of a task needs a name, by which messages call it: write `_name` if it is \
             not used",
        ),
        Pattern::Receiver(tokens) => errors.over(
            tokens,
            "a task cannot be a method: move it out of the `impl` and take the value as a parameter",
        ),
        Pattern::Variadic(span) => errors.at(*span, "a task cannot be variadic: take a `Vec`"),
        Pattern::Other(tokens) => errors.over(
            tokens,
            "a parameter of a task needs a name, by which messages call it: take it apart in the \
             body",
        ),
    }
    for attr in &input.attrs {
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            let message =
                "a parameter of a task cannot depend on `cfg`: write a function for each case";
            errors.over(attr, message);
        }
    }
}
