//! The parameters and the result of a task.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{PathArguments, Type};

use crate::errors::Errors;
use crate::function::{Function, Input, Pattern};
use crate::kind::Kind;

/// The parameters of a task and its return type.
pub(crate) struct Signature {
    /// Whether the first parameter is passed by the job: its context, or the workflow.
    pub(crate) takes_context: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// `None` for `()`.
    pub(crate) output: Option<Output>,
}

/// A parameter that a caller passes.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// The type as written.
    pub(crate) ty: TokenStream,
    /// The type that travels; `None` if the parameter is refused.
    pub(crate) stored: Option<TokenStream>,
    /// Whether the function gets a reference to the value.
    pub(crate) is_lent: bool,
}

/// The return type.
pub(crate) struct Output {
    /// The type as written.
    pub(crate) ty: TokenStream,
    /// Whether it is a `Result`; the job then returns its `Ok` type.
    pub(crate) is_result: bool,
}

impl Signature {
    /// Returns the signature of `function`, with refused types left out.
    pub(crate) fn of(function: &Function, kind: Kind, errors: &mut Errors) -> Self {
        let mut takes_context = false;
        let mut parameters = Vec::new();
        for (position, input) in function.inputs.iter().enumerate() {
            let (Some(ty), false) = (&input.ty, input.is_receiver()) else { continue };
            let injected = Injected::of(ty);
            if position == 0 && injected == Some(Injected::by(kind)) {
                takes_context = true;
                continue;
            }
            let stored = match injected {
                Some(injected) => {
                    errors.over(ty, injected.refusal(kind));
                    takes_context |= position == 0;
                    None
                }
                None => stored(ty, errors),
            };
            parameters.push(Parameter::new(position, input, ty, stored));
        }
        if kind == Kind::Workflow && !takes_context {
            let message =
                "a workflow takes `&Workflow` as its first parameter, to which it submits";
            errors.over(&function.name, message);
        }
        let output = function.output.as_ref().and_then(|ty| Output::new(ty, errors));
        Self { takes_context, parameters, output }
    }
}

impl Parameter {
    fn new(position: usize, input: &Input, ty: &Type, stored: Option<TokenStream>) -> Self {
        let name = match &input.pattern {
            Pattern::Name(name) => name.clone(),
            _ => Ident::new(&format!("argument_{position}"), Span::call_site()),
        };
        let is_lent = matches!(peel(ty), Type::Reference(_));
        Self { name, ty: ty.to_token_stream(), stored, is_lent }
    }
}

impl Output {
    /// Returns whether `ty` is called `Result`.
    pub(crate) fn is_result(ty: &Type) -> bool {
        is_named(ty, "Result")
    }

    fn new(ty: &Type, errors: &mut Errors) -> Option<Self> {
        let tokens = ty.to_token_stream();
        let refusal = match peel(ty) {
            Type::Never(_) => "a task has to return: there is no value of type `!` to hand back",
            Type::Reference(_) => "a task cannot return a reference: return an owned value",
            _ if has_word(&tokens, "impl").is_some() => {
                "a task cannot return `impl Trait`: name the type, for the job's result has it too"
            }
            _ if borrows(&tokens).is_some() => {
                "a task cannot return borrowed data: its arguments are gone when it has returned"
            }
            _ => return Some(Self { ty: tokens, is_result: Self::is_result(ty) }),
        };
        errors.over(ty, refusal);
        None
    }
}

/// Returns the type that travels for a parameter of type `ty`.
fn stored(ty: &Type, errors: &mut Errors) -> Option<TokenStream> {
    let Type::Reference(reference) = peel(ty) else {
        let tokens = ty.to_token_stream();
        return is_owned(&tokens, errors).then_some(tokens);
    };
    if let Some(lifetime) = &reference.lifetime
        && lifetime.ident == "static"
    {
        let message = "an argument is lent for one call only: leave `'static` out";
        errors.over(lifetime, message);
        return None;
    }
    if reference.mutability.is_some() {
        let message = "a task cannot change an argument of its caller, who is another process: \
                       take the value and return it";
        errors.over(reference, message);
        return None;
    }
    let lent = peel(&reference.elem);
    if let Type::Reference(_) = lent {
        let message = "a reference to a reference cannot be lent: write one `&`";
        errors.over(reference, message);
        return None;
    }
    let tokens = lent.to_token_stream();
    if !is_owned(&tokens, errors) {
        return None;
    }
    let span = Span::call_site().located_at(lent.span());
    Some(match lent {
        Type::Slice(slice) => {
            let element = &slice.elem;
            quote_spanned!(span=> ::std::vec::Vec<#element>)
        }
        Type::Path(path) if path.path.is_ident("str") => {
            quote_spanned!(span=> ::std::string::String)
        }
        // By their names, which may mean other types: those pass through `ToOwned` unchanged.
        Type::Path(_) if ["Path", "OsStr", "CStr"].iter().any(|name| is_named(lent, name)) => {
            quote_spanned!(span=> <#tokens as ::std::borrow::ToOwned>::Owned)
        }
        _ => quote!(#tokens),
    })
}

/// Reports why a value of the type `tokens` cannot be stored.
fn is_owned(tokens: &TokenStream, errors: &mut Errors) -> bool {
    if let Some(span) = has_word(tokens, "impl") {
        errors.at(span, "a parameter cannot be `impl Trait`: name the type");
    } else if let Some(span) = has_word(tokens, "dyn") {
        errors.at(span, "a parameter cannot hold a trait object: name the type");
    } else if let Some(span) =
        borrows(tokens).or_else(|| find(tokens, &|tree, _| is_reference(tree)))
    {
        let message = "a parameter cannot hold references: use the owned type, such as \
                       `Option<String>` or `Vec<T>`";
        errors.at(span, message);
    } else {
        return true;
    }
    false
}

/// A parameter that the job passes by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Injected {
    Context,
    Workflow,
    /// One of the two, but not by a shared reference.
    Misplaced(&'static str),
}

impl Injected {
    fn by(kind: Kind) -> Self {
        match kind {
            Kind::Task => Self::Context,
            Kind::Workflow => Self::Workflow,
        }
    }

    /// Returns the parameter that `ty` stands for, if any.
    fn of(ty: &Type) -> Option<Self> {
        let known = [("JobContext", Self::Context), ("Workflow", Self::Workflow)];
        match peel(ty) {
            Type::Reference(reference) => {
                let (name, it) =
                    known.into_iter().find(|(name, _)| is_named(&reference.elem, name))?;
                Some(if reference.mutability.is_none() { it } else { Self::Misplaced(name) })
            }
            ty => {
                let (name, _) = known.into_iter().find(|(name, _)| is_named(ty, name))?;
                Some(Self::Misplaced(name))
            }
        }
    }

    /// Returns why it cannot have this place.
    fn refusal(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Context | Self::Misplaced("JobContext"), Kind::Task) => {
                "the job's context has to be the first parameter, `&JobContext`"
            }
            (Self::Context | Self::Misplaced("JobContext"), Kind::Workflow) => {
                "a workflow has its job's context already: call `context()` of the `&Workflow`"
            }
            (_, Kind::Task) => {
                "a task cannot submit jobs: make it a workflow with `#[slurm::workflow]`"
            }
            (_, Kind::Workflow) => "the workflow has to be the first parameter, `&Workflow`",
        }
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|last| last == name)
}

/// Returns the last name of a path, without its arguments.
fn last_segment(ty: &Type) -> Option<&Ident> {
    let Type::Path(path) = peel(ty) else { return None };
    let last = path.path.segments.last()?;
    (!matches!(last.arguments, PathArguments::Parenthesized(_))).then_some(&last.ident)
}

/// Returns `ty` without parentheses and without the groups that `macro_rules!` makes.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
    }
}

/// Returns where `word` stands in `tokens`.
fn has_word(tokens: &TokenStream, word: &str) -> Option<Span> {
    find(tokens, &|tree, _| matches!(tree, TokenTree::Ident(ident) if ident == word))
}

/// Returns where `tokens` have a reference or a lifetime that is not `'static`.
fn borrows(tokens: &TokenStream) -> Option<Span> {
    find(tokens, &|tree, next| match (tree, next) {
        (TokenTree::Punct(punct), Some(TokenTree::Ident(lifetime))) if punct.as_char() == '\'' => {
            lifetime != "static"
        }
        (tree, Some(TokenTree::Punct(punct))) if is_reference(tree) => punct.as_char() != '\'',
        (tree, _) => is_reference(tree),
    })
}

fn is_reference(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '&')
}

/// Returns the first place where `fits` holds for a tree and its successor; expressions in a type are skipped.
fn find(
    tokens: &TokenStream,
    fits: &dyn Fn(&TokenTree, Option<&TokenTree>) -> bool,
) -> Option<Span> {
    let mut trees = tokens.clone().into_iter().peekable();
    while let Some(tree) = trees.next() {
        match &tree {
            tree if fits(tree, trees.peek()) => return Some(tree.span()),
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
                if let Some(span) = find(&group.stream(), fits) {
                    return Some(span);
                }
            }
            // The length of an array follows.
            TokenTree::Punct(punct) if punct.as_char() == ';' => return None,
            _ => {}
        }
    }
    None
}
