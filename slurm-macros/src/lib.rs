//! The attributes of slurm-sdk.
//!
//! Use them through the `slurm` crate, which documents them: the expansions refer to it. The attributes have
//! no comments here, because rustdoc would append them to that documentation.
//!
//! An attribute is parsed (`arguments`, `function`), checked (`options`, `parameters`, `valid`) and
//! expanded (`task`, `entry_point`). Mistakes are collected on the way (`errors`) and do not stop it:
//! one compilation reports them all, and the items that other code refers to exist in any case.

mod arguments;
mod attributes;
mod entry_point;
mod errors;
mod function;
mod kind;
mod options;
mod parameters;
mod task;
mod text;
mod valid;

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into(), kind::Kind::Task).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into(), kind::Kind::Workflow).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry_point::expand(arguments.into(), &item.into()).into()
}

/// Puts its argument beside the item.
///
/// For the expansions of the other attributes alone.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn beside(items: TokenStream, item: TokenStream) -> TokenStream {
    let mut both = item;
    both.extend(items);
    both
}
