//! The attributes of slurm-sdk.
//!
//! Use them through the `slurm` crate, which documents them: what they expand to refers to it.
//!
//! An attribute is parsed (`arguments`, `function`), checked (`options`, `parameters`, `valid`) and
//! expanded (`task`, `entry_point`). Mistakes are collected on the way (`errors`) and do not stop it:
//! one compilation reports them all, and what other code refers to is there in any case.

mod arguments;
mod attributes;
mod entry_point;
mod errors;
mod function;
mod options;
mod parameters;
mod task;
mod text;
mod valid;

use proc_macro::TokenStream;

/// Makes a task of a function: something that can run as a Slurm job.
///
/// See `slurm::task`.
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into(), task::Kind::Task).into()
}

/// Makes a workflow of a function: a task that submits jobs from inside of its own job.
///
/// See `slurm::workflow`.
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into(), task::Kind::Workflow).into()
}

/// Makes `main` the entry point of a program whose tasks run as jobs.
///
/// See `slurm::main`.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry_point::expand(arguments.into(), &item.into()).into()
}
