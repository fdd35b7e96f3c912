//! The entry of a task in the registry.

use proc_macro2::{Literal, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use slurm_core::options::OptionValue;
use syn::spanned::Spanned as _;

use super::{Task, at};
use crate::function::plain_name;
use crate::kind::Kind;
use crate::{attributes, text};

impl Task<'_> {
    /// Returns the entry of the task in the registry.
    pub(super) fn entry(&self) -> TokenStream {
        let private = self.private();
        let plain = plain_name(&self.function.name);
        let name = match &self.options.name {
            Some(name) => quote!(#name),
            None => quote!(::core::concat!(::core::module_path!(), "::", #plain)),
        };
        let summary = attributes::summary(&self.function.attrs);
        let types: Vec<_> =
            self.signature.parameters.iter().map(|p| text::of_type(p.ty.clone())).collect();
        let output = self.signature.output.as_ref();
        let output = output.map_or_else(|| "()".to_owned(), |o| text::of_type(o.ty.clone()));
        let hash = text::hash(types.iter().chain([&output]).map(String::as_str));
        let signature = Literal::u64_suffixed(hash);
        let names = self.signature.parameters.iter().map(|p| plain_name(&p.name));
        let options = self.options.options.iter().map(|(key, value)| {
            let value = match value {
                OptionValue::Value(value) => quote!(Text(#value)),
                OptionValue::Flag => quote!(Flag),
                OptionValue::Unset => quote!(Constant(|| #private::OptionInput::from(false))),
            };
            quote!(#private::TaskOption { key: #key, value: #private::TaskValue::#value })
        });
        let constants = self.options.constants.iter().map(|(key, path)| {
            let private = with_span(&private, at(path.span()));
            let input = quote_spanned!(at(path.span())=> #private::OptionInput::from(#path));
            quote! {
                #private::TaskOption { key: #key, value: #private::TaskValue::Constant(|| #input) }
            }
        });
        // The value is not known here, so the compiler is asked to check it.
        let checks = self.options.constants.iter().map(|(key, path)| {
            let private = with_span(&private, at(path.span()));
            quote_spanned! {at(path.span())=>
                const _: () = #private::ConstInput(#path).assert(#key);
            }
        });
        let extra = &self.options.extra;
        let setup = &self.options.setup;
        let env = self.options.env.iter().map(|(name, value)| quote!((#name, #value)));
        let requeue = self.requeue();
        let kind = match self.kind {
            Kind::Task => quote!(Task),
            Kind::Workflow => quote!(Workflow),
        };
        quote! {
            #(#checks)*

            static __SLURM_ENTRY: #private::TaskEntry = #private::TaskEntry {
                name: #name,
                summary: #summary,
                file: ::core::file!(),
                line: ::core::line!(),
                signature: #signature,
                parameters: &[#(#private::Parameter { name: #names, ty: #types }),*],
                output: #output,
                options: &[#(#options,)* #(#constants,)*],
                extra: &[#(#extra),*],
                setup: &[#(#setup),*],
                env: &[#(#env),*],
                kind: #private::TaskKind::#kind,
                requeue: #requeue,
                check_output: __SLURM_OUTPUT.check,
                run: __slurm_run,
            };
        }
    }

    /// Returns the attribute's settings for requeueing.
    fn requeue(&self) -> TokenStream {
        let private = self.private();
        let option = quote!(::core::option::Option);
        let on_timeout = match self.options.on_timeout {
            Some(true) => quote!(#option::Some(#private::OnTimeout::Requeue)),
            Some(false) => quote!(#option::Some(#private::OnTimeout::Fail)),
            None => quote!(#option::None),
        };
        let max = match self.options.max_requeues {
            Some(max) => quote!(#option::Some(#max)),
            None => quote!(#option::None),
        };
        quote!(#private::TaskRequeue { on_timeout: #on_timeout, max_requeues: #max })
    }
}

/// Returns `tokens` at the place of `span`, where the compiler reports their errors.
fn with_span(tokens: &TokenStream, span: Span) -> TokenStream {
    let with_span = |mut tree: TokenTree| {
        tree.set_span(span);
        tree
    };
    tokens.clone().into_iter().map(with_span).collect()
}
