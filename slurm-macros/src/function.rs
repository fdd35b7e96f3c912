//! The parts of the function under an attribute that the attributes need.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Result};
use syn::{
    Abi, Attribute, Error, Generics, ReturnType, Token, Type, Visibility, WhereClause,
    parenthesized,
};

/// A function item without its body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) asyncness: Option<Token![async]>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) abi: Option<Abi>,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) inputs: Vec<Input>,
    pub(crate) output: Option<Type>,
    pub(crate) where_clause: Option<WhereClause>,
}

/// A parameter of a function.
pub(crate) struct Input {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) pattern: Pattern,
    /// `None` for `self` and `...`.
    pub(crate) ty: Option<Type>,
}

/// How a parameter binds its value.
pub(crate) enum Pattern {
    /// `name` or `mut name`.
    Name(Ident),
    /// `_`.
    Wildcard(Span),
    /// `self` in any of its forms.
    Receiver(TokenStream),
    /// `...`.
    Variadic(Span),
    /// Everything else, such as `(a, b)`.
    Other(TokenStream),
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        input.parse::<Option<Token![const]>>()?;
        let asyncness = input.parse()?;
        let unsafety = input.parse()?;
        let abi = if input.peek(Token![extern]) { Some(input.parse()?) } else { None };
        if !input.peek(Token![fn]) {
            return Err(Error::new(input.span(), "expected a function"));
        }
        input.parse::<Token![fn]>()?;
        let name = input.parse()?;
        let generics = input.parse()?;

        let content;
        parenthesized!(content in input);
        let mut inputs = Vec::new();
        while !content.is_empty() {
            inputs.push(content.parse()?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }

        let output = match input.parse()? {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(*ty),
        };
        let where_clause = input.parse()?;
        if input.peek(Token![;]) {
            return Err(Error::new(input.span(), "expected a function with a body"));
        }
        input.parse::<TokenStream>()?;
        Ok(Self {
            attrs,
            vis,
            asyncness,
            unsafety,
            abi,
            name,
            generics,
            inputs,
            output,
            where_clause,
        })
    }
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let mut pattern = TokenStream::new();
        let mut ty = None;
        while !input.is_empty() && !input.peek(Token![,]) {
            if let Some(dots) = input.parse::<Option<Token![...]>>()? {
                return Ok(Self { attrs, pattern: Pattern::Variadic(dots.spans[0]), ty });
            }
            if let Some(colons) = input.parse::<Option<Token![::]>>()? {
                pattern.extend(colons.to_token_stream());
            } else if input.parse::<Option<Token![:]>>()?.is_none() {
                pattern.extend([input.parse::<TokenTree>()?]);
            } else if !input.peek(Token![...]) {
                ty = Some(input.parse()?);
                break;
            }
        }
        Ok(Self { attrs, pattern: Pattern::new(pattern), ty })
    }
}

impl Function {
    /// Returns whether its signature shows that it stands in an `impl` or a trait: by a receiver, or by `Self`.
    pub(crate) fn is_associated(&self) -> bool {
        self.inputs.iter().any(Input::is_receiver) || self.self_type().is_some()
    }

    /// Returns the place of the first `Self` in a type of its signature.
    pub(crate) fn self_type(&self) -> Option<Span> {
        let parameters = self.inputs.iter().filter(|input| !input.is_receiver());
        let types = parameters.filter_map(|input| input.ty.as_ref()).chain(&self.output);
        types.map(ToTokens::to_token_stream).find_map(find_self)
    }
}

/// Returns the place of the first `Self` in `tokens`.
fn find_self(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Group(group) => find_self(group.stream()),
        TokenTree::Ident(ident) if ident == "Self" => Some(ident.span()),
        _ => None,
    })
}

impl Input {
    /// Returns whether it is `self`.
    pub(crate) fn is_receiver(&self) -> bool {
        matches!(self.pattern, Pattern::Receiver(_))
    }
}

impl Pattern {
    fn new(tokens: TokenStream) -> Self {
        let mut trees: Vec<_> = flatten(tokens.clone());
        if matches!(trees.last(), Some(TokenTree::Ident(ident)) if ident == "self") {
            return Self::Receiver(tokens);
        }
        if trees.len() > 1 && matches!(&trees[0], TokenTree::Ident(ident) if ident == "mut") {
            trees.remove(0);
        }
        match trees.as_slice() {
            [TokenTree::Ident(name)] if name == "_" => Self::Wildcard(name.span()),
            [TokenTree::Ident(name)] => Self::Name(name.clone()),
            _ => Self::Other(tokens),
        }
    }
}

/// Returns the trees of `tokens`, looking through the invisible groups that `macro_rules!` makes.
pub(crate) fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let mut trees = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::None => {
                trees.extend(flatten(group.stream()));
            }
            tree => trees.push(tree),
        }
    }
    trees
}

/// Returns the name of `ident` without `r#`.
pub(crate) fn plain_name(ident: &Ident) -> String {
    ident.unraw().to_string()
}
