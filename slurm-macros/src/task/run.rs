//! How a job calls the function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::{Task, at};
use crate::function::plain_name;
use crate::kind::Kind;

impl Task<'_> {
    /// Returns how each type travels. A type that cannot is reported here, and only here.
    pub(super) fn codecs(&self) -> TokenStream {
        let private = self.private();
        let arguments = self.signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let (name, ty) = (codec_name(index), &parameter.stored);
            quote_spanned! {at(parameter.ty.span())=>
                const #name: #private::Codec<#ty> = <#ty as #private::TaskArgument>::CODEC;
            }
        });
        let name = &self.name;
        let output = quote_spanned! {self.output_span()=>
            const __SLURM_OUTPUT: #private::Codec<<#name as #private::Task>::Output> =
                <<#name as #private::Task>::Output as #private::TaskOutput>::CODEC;
        };
        quote!(#(#arguments)* #output)
    }

    /// Returns the function that decodes the arguments, calls the task's function and encodes the returned
    /// value.
    ///
    /// It is written to compile fast, because every task has one: a function, because a closure costs a second
    /// one, and `match` instead of `?`.
    pub(super) fn run(&self) -> TokenStream {
        let Self { name, signature, .. } = self;
        let private = self.private();
        let mixed = Span::mixed_site();
        let variable = |index| format_ident!("argument_{index}", span = mixed);
        let take = signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let (argument, codec) = (variable(index), codec_name(index));
            let text = plain_name(&parameter.name);
            quote_spanned! {mixed=>
                let #argument = match arguments.take(#codec, #text) {
                    ::core::result::Result::Ok(argument) => argument,
                    ::core::result::Result::Err(failure) => {
                        return ::core::result::Result::Err(failure);
                    }
                };
            }
        });
        let context = signature.takes_context.then(|| match self.kind {
            Kind::Task => quote_spanned!(mixed=> context,),
            Kind::Workflow => quote_spanned!(mixed=> &workflow,),
        });
        // After the arguments, so that a workflow which cannot be called touches nothing.
        let enter = (self.kind == Kind::Workflow).then(|| {
            quote_spanned! {mixed=>
                let workflow = match #private::Workflow::from_context(context) {
                    ::core::result::Result::Ok(workflow) => workflow,
                    ::core::result::Result::Err(failure) => {
                        return ::core::result::Result::Err(failure);
                    }
                };
            }
        });
        let pass = signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let argument = variable(index);
            if parameter.is_lent { quote!(&#argument) } else { quote!(#argument) }
        });
        let finish = if signature.output.as_ref().is_some_and(|output| output.is_result) {
            let fail = quote_spanned! {self.output_span().resolved_at(mixed)=>
                (&&&&#private::ErrorOf::new(error)).failure()
            };
            let convert = self.as_result();
            quote_spanned! {mixed=>
                match #convert::into_result(returned) {
                    ::core::result::Result::Ok(value) => {
                        #private::encode_output(__SLURM_OUTPUT, &value)
                    }
                    ::core::result::Result::Err(error) => {
                        use #private::{
                            ViaDebug as _, ViaDisplay as _, ViaError as _, ViaLocalError as _,
                        };
                        ::core::result::Result::Err(#fail)
                    }
                }
            }
        } else {
            quote_spanned!(mixed=> #private::encode_output(__SLURM_OUTPUT, &returned))
        };
        quote_spanned! {mixed=>
            fn __slurm_run(
                context: &#private::JobContext,
                mut arguments: #private::Arguments<'_>,
            ) -> ::core::result::Result<::std::vec::Vec<::core::primitive::u8>, #private::Failure> {
                #(#take)*
                #enter
                let returned = #name(#context #(#pass),*);
                #finish
            }
        }
    }
}

/// Returns the name of the constant that holds how a parameter travels.
pub(super) fn codec_name(index: usize) -> Ident {
    format_ident!("__SLURM_ARGUMENT_{index}")
}
