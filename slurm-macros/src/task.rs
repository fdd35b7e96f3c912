//! `#[slurm::task]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Visibility;
use syn::spanned::Spanned as _;

use crate::attributes::{self, CONDITIONS, DEPRECATION, HIDING, LINTS};
use crate::errors::Errors;
use crate::function::{Function, plain_name};
use crate::kind::Kind;
use crate::options::Options;
use crate::parameters::{Output, Parameter, Signature};
use crate::valid;

mod entry;
mod map;
mod run;

/// Returns `item` unchanged, followed by the items that make it a task.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream, kind: Kind) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(arguments, &mut errors);
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            let errors = errors.to_tokens();
            return quote!(#item #errors);
        }
    };

    let mut refusals = Errors::default();
    valid::check(&function, &mut refusals);
    let signature = Signature::of(&function, kind, &mut refusals);
    let task = Task::new(&function, &signature, &options, kind);
    let generated = if function.is_associated() {
        TokenStream::new()
    } else if refusals.is_empty() {
        task.whole()
    } else {
        task.stub()
    };
    let (errors, refusals) = (errors.to_tokens(), refusals.to_tokens());
    quote!(#item #generated #errors #refusals)
}

struct Task<'a> {
    function: &'a Function,
    signature: &'a Signature,
    options: &'a Options,
    krate: &'a TokenStream,
    kind: Kind,
    /// The function's name, at its place but as an identifier that the macro wrote, whose lints are
    /// not the user's.
    name: Ident,
}

impl<'a> Task<'a> {
    fn new(
        function: &'a Function,
        signature: &'a Signature,
        options: &'a Options,
        kind: Kind,
    ) -> Self {
        let mut name = function.name.clone();
        name.set_span(at(name.span()));
        Self { function, signature, options, krate: &options.krate, kind, name }
    }

    /// Returns all items that make the function a task.
    fn whole(&self) -> TokenStream {
        let Self { krate, .. } = self;
        let codecs = self.codecs();
        let run = self.run();
        let entry = self.entry();
        let task = self.task_impl(
            &self.value_type(),
            &quote!(&__SLURM_ENTRY),
            &quote!((__SLURM_OUTPUT.decode)(bytes)),
        );
        let arguments = self.signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let (text, codec) = (plain_name(&parameter.name), run::codec_name(index));
            let name = parameter.name_of_argument();
            quote!(.with(#text, #codec, #name))
        });
        let job = self.job(&quote! {
            #krate::JobBuilder::new(#krate::__private::CallArguments::new() #(#arguments)*)
        });
        let map = self.map();
        self.items(&quote! {
            #codecs
            #run
            #entry
            #task
            #job
            #map

            #krate::__private::inventory::submit! {
                #krate::__private::Registered(&__SLURM_ENTRY)
            }

            #[#krate::__private::linkme::distributed_slice(#krate::__private::TASK_NAMES)]
            #[linkme(crate = #krate::__private::linkme)]
            static __SLURM_NAME: &'static ::core::primitive::str = __SLURM_ENTRY.name;
        })
    }

    /// Returns the items that other code refers to, for a function that cannot be a task.
    fn stub(&self) -> TokenStream {
        let is_generic = !self.function.generics.params.is_empty();
        let value = if is_generic { quote!(()) } else { self.value_type() };
        let task = self.task_impl(&value, &quote!(loop {}), &quote!(loop {}));
        let job = self.job(&quote!(loop {}));
        self.items(&quote!(#task #job))
    }

    /// Returns the type of the task, with `content` in a scope of its own.
    fn items(&self, content: &TokenStream) -> TokenStream {
        let Self { function, name, .. } = self;
        let vis = visibility(&function.vis);
        let plain = plain_name(&function.name);
        let doc = format!(
            "The task [`{plain}`](fn@{name}): `{plain}::job(…)` makes a job of it, `{plain}::map(…)` an array."
        );
        let of_type = attributes::select(&function.attrs, &[CONDITIONS, LINTS, HIDING]);
        let of_content = attributes::select(&function.attrs, &[CONDITIONS, LINTS]);
        let private = self.private();
        // The rest is the argument of an attribute of the type. In an `impl` the compiler refuses the type, and the
        // rest goes with it: one error instead of five.
        quote! {
            #of_type
            #[doc = #doc]
            #[#private::beside(#of_content const _: () = { #content };)]
            #vis enum #name {}
        }
    }

    fn task_impl(
        &self,
        value: &TokenStream,
        entry: &TokenStream,
        decode: &TokenStream,
    ) -> TokenStream {
        let Self { name, .. } = self;
        let private = self.private();
        let output = quote_spanned!(self.output_span()=> type Output = #value;);
        let output_type = quote_spanned!(self.output_span()=> Self::Output);
        quote! {
            impl #private::Task for #name {
                #output

                fn entry() -> &'static #private::TaskEntry {
                    #entry
                }

                fn decode_output(
                    bytes: &[::core::primitive::u8],
                ) -> ::core::result::Result<#output_type, #private::CodecError> {
                    #decode
                }
            }
        }
    }

    /// Returns the function that binds arguments and, for a workflow, the function that plans.
    fn job(&self, body: &TokenStream) -> TokenStream {
        let Self { function, krate, name, .. } = self;
        let private = self.private();
        let vis = visibility(&function.vis);
        let plain = plain_name(&function.name);
        let doc =
            format!("Returns a job that will call [`{plain}`](fn@{name}) with these arguments.");
        let deprecation = attributes::select(&function.attrs, &[DEPRECATION]);
        let is_generic = !function.generics.params.is_empty();
        let parameters: Vec<_> = self
            .signature
            .parameters
            .iter()
            .map(|parameter| {
                let name = parameter.name_of_argument();
                match &parameter.stored {
                    Some(ty) if !is_generic => quote!(#name: impl #krate::IntoArg<#ty>),
                    _ => quote!(#name: impl ::core::marker::Sized),
                }
            })
            .collect();
        let plan = (self.kind == Kind::Workflow).then(|| {
            let names = self.signature.parameters.iter().map(Parameter::name_of_argument);
            let doc = format!(
                "Returns what [`{plain}`](fn@{name}) would submit with these arguments, to the cluster \
                 that the environment names. Nothing is submitted."
            );
            quote! {
                #[doc = #doc]
                ///
                /// # Errors
                /// If a call or the Slurmfile is wrong, or the function fails.
                #[allow(dead_code)]
                #deprecation
                #vis fn plan(#(#parameters),*) -> #krate::Result<#krate::Plan> {
                    #private::plan_from_environment(Self::job(#(#names),*))
                }
            }
        });
        quote! {
            impl #name {
                #[doc = #doc]
                #deprecation
                #vis fn job(#(#parameters),*) -> #krate::JobBuilder<#name> {
                    #body
                }

                #plan
            }
        }
    }

    /// Returns the returned `Result` as the trait that takes it apart.
    fn as_result(&self) -> TokenStream {
        let private = self.private();
        let ty = self.signature.output.as_ref().map(|output| &output.ty);
        quote_spanned!(self.output_span()=> <#ty as #private::TaskResult>)
    }

    /// Returns the type of the job's result.
    fn value_type(&self) -> TokenStream {
        match &self.signature.output {
            None => quote!(()),
            Some(Output { is_result: true, .. }) => {
                let result = self.as_result();
                quote_spanned!(self.output_span()=> #result::Value)
            }
            Some(Output { ty, .. }) => quote!(#ty),
        }
    }

    fn output_span(&self) -> Span {
        at(self.signature.output.as_ref().map_or_else(Span::call_site, |output| output.ty.span()))
    }

    fn private(&self) -> TokenStream {
        let Self { krate, .. } = self;
        quote!(#krate::__private)
    }
}

impl Parameter {
    /// Returns the name of the parameter in `job`.
    fn name_of_argument(&self) -> Ident {
        let mut name = self.name.clone();
        name.set_span(at(name.span()));
        name
    }
}

/// Returns a span at the place of `span` for generated code: names resolve as at the attribute, and lints know that
/// the user did not write it.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn visibility(vis: &Visibility) -> TokenStream {
    match vis {
        Visibility::Public(token) => quote_spanned!(at(token.span)=> pub),
        vis => vis.to_token_stream(),
    }
}
