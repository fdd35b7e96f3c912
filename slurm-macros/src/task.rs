//! `#[slurm::task]`.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use slurm_core::options::OptionValue;
use syn::Visibility;
use syn::spanned::Spanned as _;

use crate::attributes::{self, CONDITIONS, DEPRECATION, HIDING, LINTS};
use crate::errors::Errors;
use crate::function::{Function, plain_name};
use crate::options::Options;
use crate::parameters::{Output, Parameter, Signature};
use crate::{text, valid};

/// Returns `item` as it is, and beside it what makes it a task.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
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
    let signature = Signature::of(&function, &mut refusals);
    let task = Task::new(&function, &signature, &options);
    let generated = if function.is_method() {
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
    /// The function's name, at its place but as an identifier that the macro wrote, whose lints are
    /// not the user's.
    name: Ident,
}

impl<'a> Task<'a> {
    fn new(function: &'a Function, signature: &'a Signature, options: &'a Options) -> Self {
        let mut name = function.name.clone();
        name.set_span(at(name.span()));
        Self { function, signature, options, krate: &options.krate, name }
    }

    /// Returns everything that makes the function a task.
    fn whole(&self) -> TokenStream {
        let Self { krate, .. } = self;
        let codecs = self.codecs();
        let entry = self.entry();
        let task = self.task_impl(
            &self.value_type(),
            &quote!(&__SLURM_ENTRY),
            &quote!((__SLURM_OUTPUT.decode)(bytes)),
        );
        let arguments = self.signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let (text, codec) = (plain_name(&parameter.name), codec_name(index));
            let name = parameter.name_of_argument();
            quote!(.with(#text, #codec, #name))
        });
        let job = self.job(&quote! {
            #krate::JobBuilder::new(#krate::__private::CallArguments::new() #(#arguments)*)
        });
        self.items(&quote! {
            #codecs
            #entry
            #task
            #job

            #krate::__private::inventory::submit! {
                #krate::__private::Registered(&__SLURM_ENTRY)
            }

            #[#krate::__private::linkme::distributed_slice(#krate::__private::TASK_NAMES)]
            #[linkme(crate = #krate::__private::linkme)]
            static __SLURM_NAME: &'static ::core::primitive::str = __SLURM_ENTRY.name;
        })
    }

    /// Returns what other code refers to, for a function that cannot be a task.
    fn stub(&self) -> TokenStream {
        let is_generic = !self.function.generics.params.is_empty();
        let value = if is_generic { quote!(()) } else { self.value_type() };
        let task = self.task_impl(&value, &quote!(loop {}), &quote!(loop {}));
        let job = self.job(&quote!(loop {}));
        self.items(&quote!(#task #job))
    }

    /// Returns the type of the task, and `content` where it gets in nobody's way.
    fn items(&self, content: &TokenStream) -> TokenStream {
        let Self { function, name, .. } = self;
        let vis = visibility(&function.vis);
        let plain = plain_name(&function.name);
        let doc = format!("The task [`{plain}`](fn@{name}): `{plain}::job(…)` makes a job of it.");
        let of_type = attributes::select(&function.attrs, &[CONDITIONS, LINTS, HIDING]);
        let of_content = attributes::select(&function.attrs, &[CONDITIONS, LINTS]);
        quote! {
            #of_type
            #[allow(non_camel_case_types)]
            #[doc = #doc]
            #vis enum #name {}

            #of_content
            const _: () = { #content };
        }
    }

    /// Returns how each type travels. A type that cannot is reported here, and only here.
    fn codecs(&self) -> TokenStream {
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

    /// Returns what the registry knows of the task.
    fn entry(&self) -> TokenStream {
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
        let options = self.options.options.iter().filter_map(|(key, value)| {
            let value = match value {
                OptionValue::Value(value) => quote!(::core::option::Option::Some(#value)),
                OptionValue::Flag => quote!(::core::option::Option::None),
                OptionValue::Unset => return None,
            };
            Some(quote!(#private::TaskOption { key: #key, value: #value }))
        });
        let extra = &self.options.extra;
        let run = self.run();
        quote! {
            #run

            static __SLURM_ENTRY: #private::TaskEntry = #private::TaskEntry {
                name: #name,
                summary: #summary,
                file: ::core::file!(),
                line: ::core::line!(),
                signature: #signature,
                parameters: &[#(#private::Parameter { name: #names, ty: #types }),*],
                output: #output,
                options: &[#(#options),*],
                extra: &[#(#extra),*],
                run: __slurm_run,
            };
        }
    }

    /// Returns the function that decodes the arguments, calls the task's function and encodes what
    /// that returned.
    ///
    /// It is written for the compiler's speed, as there is one for each task: a function, for a
    /// closure costs another one, and `match` instead of `?`.
    fn run(&self) -> TokenStream {
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
        let context = signature.takes_context.then(|| quote_spanned!(mixed=> context,));
        let pass = signature.parameters.iter().enumerate().map(|(index, parameter)| {
            let argument = variable(index);
            if parameter.is_lent { quote!(&#argument) } else { quote!(#argument) }
        });
        let finish = if signature.output.as_ref().is_some_and(|output| output.is_result) {
            let fail = quote_spanned! {self.output_span().resolved_at(mixed)=>
                (&&&#private::ErrorOf::new(error)).failure()
            };
            let convert = self.as_result();
            quote_spanned! {mixed=>
                match #convert::into_result(returned) {
                    ::core::result::Result::Ok(value) => {
                        #private::encode_output(__SLURM_OUTPUT, &value)
                    }
                    ::core::result::Result::Err(error) => {
                        use #private::{ViaDebug as _, ViaDisplay as _, ViaError as _};
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
                let returned = #name(#context #(#pass),*);
                #finish
            }
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

    /// Returns the function that binds arguments.
    fn job(&self, body: &TokenStream) -> TokenStream {
        let Self { function, krate, name, .. } = self;
        let vis = visibility(&function.vis);
        let plain = plain_name(&function.name);
        let doc =
            format!("Returns a job that will call [`{plain}`](fn@{name}) with these arguments.");
        let deprecation = attributes::select(&function.attrs, &[DEPRECATION]);
        let is_generic = !function.generics.params.is_empty();
        let parameters = self.signature.parameters.iter().map(|parameter| {
            let name = parameter.name_of_argument();
            match &parameter.stored {
                Some(ty) if !is_generic => quote!(#name: impl #krate::IntoArg<#ty>),
                _ => quote!(#name: impl ::core::marker::Sized),
            }
        });
        quote! {
            impl #name {
                #[doc = #doc]
                #deprecation
                #vis fn job(#(#parameters),*) -> #krate::JobBuilder<#name> {
                    #body
                }
            }
        }
    }

    /// Returns the returned `Result` as the trait that takes it apart.
    fn as_result(&self) -> TokenStream {
        let private = self.private();
        let ty = self.signature.output.as_ref().map(|output| &output.ty);
        quote_spanned!(self.output_span()=> <#ty as #private::TaskResult>)
    }

    /// Returns the type of what the job hands back.
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

/// Returns a span at the place of `span` for what the macro wrote: names mean what they mean where
/// the attribute stands, and lints know that the user did not write it.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn visibility(vis: &Visibility) -> TokenStream {
    match vis {
        Visibility::Public(token) => quote_spanned!(at(token.span)=> pub),
        vis => vis.to_token_stream(),
    }
}

fn codec_name(index: usize) -> Ident {
    format_ident!("__SLURM_ARGUMENT_{index}")
}
