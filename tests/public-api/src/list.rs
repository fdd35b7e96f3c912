//! The items that users can name, found from the root of a crate.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Signature, TraitItem, Visibility};

use crate::crates::{Crates, Module, Path, is_hidden, name_of};
use crate::print::text;

/// Returns each public item with its members, ordered by path.
pub(crate) fn items(crates: &Crates, library: &str) -> Vec<String> {
    let mut public = BTreeMap::new();
    let root = vec![library.to_owned()];
    walk(crates, &root, library, &mut BTreeSet::new(), &mut public);
    for item in &crates.modules[&root].items {
        let Item::Macro(macro_item) = item else { continue };
        let exported = macro_item.attrs.iter().any(|a| a.path().is_ident("macro_export"));
        if let Some(name) =
            macro_item.ident.as_ref().filter(|_| exported && !is_hidden(&macro_item.attrs))
        {
            public.insert(format!("{library}::{name}!"), None);
        }
    }
    let impls = impls(crates);
    let mut list: Vec<String> = Vec::new();
    for (name, defined) in &public {
        list.push(match defined {
            Some(path) => shown(crates, name, path, &impls),
            None => format!("external {name}"),
        });
    }
    list
}

/// Collects the paths of all public items of a module, and the paths of their definitions.
fn walk(
    crates: &Crates,
    module: &[String],
    name: &str,
    seen: &mut BTreeSet<(Path, String)>,
    public: &mut BTreeMap<String, Option<Path>>,
) {
    if !seen.insert((module.to_vec(), name.to_owned())) {
        return;
    }
    let Module { items, uses, .. } = &crates.modules[module];
    let mut note = |inside: &str, path: Path| {
        if crates.modules.get(&path).is_some_and(|module| module.hidden) {
            return;
        }
        if crates.modules.contains_key(&path) {
            public.insert(inside.to_owned(), Some(path.clone()));
            walk(crates, &path, inside, seen, public);
        } else {
            public.insert(inside.to_owned(), Some(path));
        }
    };
    let mut external = Vec::new();
    for item in items {
        let Some(ident) = name_of(item).filter(|_| is_public(item)) else { continue };
        note(&format!("{name}::{ident}"), [module, &[ident.to_string()]].concat());
    }
    for used in uses.iter().filter(|used| used.public && !used.hidden) {
        match (&used.name, crates.resolve(module, &used.path)) {
            (Some(alias), Some(path)) => note(&format!("{name}::{alias}"), path),
            (Some(alias), None) => {
                let text = format!("{name}::{alias} = {}", used.path.join("::"));
                external.push(text);
            }
            (None, Some(path)) => note(name, path),
            (None, None) => external.push(format!("{name}::* = {}::*", used.path.join("::"))),
        }
    }
    public.extend(external.into_iter().map(|text| (text, None)));
}

fn is_public(item: &Item) -> bool {
    let (visibility, attributes) = match item {
        Item::Const(item) => (&item.vis, &item.attrs),
        Item::Enum(item) => (&item.vis, &item.attrs),
        Item::Fn(item) => (&item.vis, &item.attrs),
        Item::Mod(item) => (&item.vis, &item.attrs),
        Item::Static(item) => (&item.vis, &item.attrs),
        Item::Struct(item) => (&item.vis, &item.attrs),
        Item::Trait(item) => (&item.vis, &item.attrs),
        Item::Type(item) => (&item.vis, &item.attrs),
        Item::Union(item) => (&item.vis, &item.attrs),
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes)
}

/// Returns all `impl` blocks by the path of their type's definition.
fn impls(crates: &Crates) -> BTreeMap<Path, Vec<&ItemImpl>> {
    let mut found: BTreeMap<Path, Vec<&ItemImpl>> = BTreeMap::new();
    for (path, module) in &crates.modules {
        for block in blocks(&module.items) {
            if let Some(defined) = self_type(block).and_then(|name| crates.resolve(path, &name)) {
                found.entry(defined).or_default().push(block);
            }
        }
    }
    found
}

/// Returns all `impl` blocks, including the blocks in `const _: () = { … }` that derives generate.
fn blocks(items: &[Item]) -> Vec<&ItemImpl> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Impl(block) => found.push(block),
            Item::Const(item) => {
                let syn::Expr::Block(block) = &*item.expr else { continue };
                let inner = block.block.stmts.iter().filter_map(|statement| match statement {
                    syn::Stmt::Item(Item::Impl(block)) => Some(block),
                    _ => None,
                });
                found.extend(inner);
            }
            _ => {}
        }
    }
    found
}

fn self_type(block: &ItemImpl) -> Option<Path> {
    let mut ty = &*block.self_ty;
    while let syn::Type::Reference(reference) = ty {
        ty = &reference.elem;
    }
    let syn::Type::Path(path) = ty else { return None };
    Some(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect())
}

fn shown(
    crates: &Crates,
    name: &str,
    path: &Path,
    impls: &BTreeMap<Path, Vec<&ItemImpl>>,
) -> String {
    let (last, module) = path.split_last().expect("a path has a name");
    let item = crates.modules.get(module).and_then(|module| {
        module.items.iter().find(|item| name_of(item).is_some_and(|ident| ident == last))
    });
    let Some(item) = item else { return format!("mod {name}") };
    let (first, mut rest) = described(item, name);
    let members: BTreeSet<String> =
        impls.get(path).into_iter().flatten().flat_map(|block| members(block)).collect();
    rest.extend(members);
    let mut lines = vec![first];
    lines.extend(rest.into_iter().map(|line| format!("    {line}")));
    lines.join("\n")
}

/// Returns the line of an item, and the lines of its fields, variants or methods.
fn described(item: &Item, name: &str) -> (String, Vec<String>) {
    let whole = |attributes: &[Attribute]| {
        let open = attributes.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
        if open { ", non-exhaustive" } else { "" }
    };
    match item {
        Item::Struct(item) => {
            let first = format!("struct {name}{}{}", generics(&item.generics), whole(&item.attrs));
            (first, fields(&item.fields, true))
        }
        Item::Enum(item) => {
            let variant = |variant: &syn::Variant| {
                let fields = fields(&variant.fields, false).join(", ");
                match variant.fields {
                    Fields::Unit => variant.ident.to_string(),
                    Fields::Named(_) => format!("{} {{ {fields} }}", variant.ident),
                    Fields::Unnamed(_) => format!("{}({fields})", variant.ident),
                }
            };
            let first = format!("enum {name}{}{}", generics(&item.generics), whole(&item.attrs));
            (first, item.variants.iter().map(variant).collect())
        }
        Item::Trait(item) => {
            let supers = if item.supertraits.is_empty() {
                String::new()
            } else {
                format!(": {}", text(&item.supertraits))
            };
            let first = format!("trait {name}{}{supers}", generics(&item.generics));
            (first, item.items.iter().filter_map(required).collect())
        }
        Item::Fn(item) => (format!("{}, in {name}", signature(&item.sig)), Vec::new()),
        Item::Const(item) => (format!("const {name}: {}", text(&item.ty)), Vec::new()),
        Item::Static(item) => (format!("static {name}: {}", text(&item.ty)), Vec::new()),
        Item::Type(item) => {
            (format!("type {name}{} = {}", generics(&item.generics), text(&item.ty)), Vec::new())
        }
        _ => (format!("mod {name}"), Vec::new()),
    }
}

fn generics(generics: &syn::Generics) -> String {
    let mut text = text(&generics.params);
    if !text.is_empty() {
        text = format!("<{}>", text.trim_end_matches(','));
    }
    format!("{text}{}", where_clause(generics))
}

fn where_clause(generics: &syn::Generics) -> String {
    let clause = generics.where_clause.as_ref().map(|clause| text(&clause.predicates));
    clause.map_or(String::new(), |clause| format!(" where {}", clause.trim_end_matches([',', ' '])))
}

fn fields(fields: &Fields, public_only: bool) -> Vec<String> {
    let fields =
        fields.iter().filter(|field| !public_only || matches!(field.vis, Visibility::Public(_)));
    let shown = fields.filter(|field| !is_hidden(&field.attrs)).map(|field| match &field.ident {
        Some(ident) => format!("{ident}: {}", text(&field.ty)),
        None => text(&field.ty),
    });
    shown.collect()
}

fn required(item: &TraitItem) -> Option<String> {
    match item {
        TraitItem::Fn(item) if !is_hidden(&item.attrs) => {
            let provided = if item.default.is_some() { ", provided" } else { "" };
            Some(format!("{}{provided}", signature(&item.sig)))
        }
        TraitItem::Type(item) => {
            let bounds = text(&item.bounds);
            let colon = if bounds.is_empty() { "" } else { ": " };
            Some(format!("type {}{colon}{bounds}", item.ident))
        }
        TraitItem::Const(item) if !is_hidden(&item.attrs) => {
            Some(format!("const {}: {}", item.ident, text(&item.ty)))
        }
        _ => None,
    }
}

/// Returns the members of an `impl` block for users: public methods, or a trait.
fn members(block: &ItemImpl) -> Vec<String> {
    let Some((path, _)) = &block.trait_ else {
        return block.items.iter().filter_map(|item| method(item, block)).collect();
    };
    let last = path.segments.last().expect("a trait has a name");
    // Every derive of `PartialEq` implements this trait, which allows constants of the type as patterns.
    if is_hidden(&block.attrs) || last.ident == "StructuralPartialEq" {
        return Vec::new();
    }
    let reference = matches!(*block.self_ty, syn::Type::Reference(_));
    if block.generics.params.is_empty() && !reference {
        return vec![format!("impl {}", text(last))];
    }
    let parameters = text(&block.generics.params);
    let parameters = if parameters.is_empty() {
        parameters
    } else {
        format!("<{}>", parameters.trim_end_matches([',', ' ']))
    };
    let target = text(&block.self_ty);
    vec![format!("impl{parameters} {} for {target}{}", text(last), where_clause(&block.generics))]
}

fn method(item: &ImplItem, block: &ItemImpl) -> Option<String> {
    // A block for some types of a generic type names those types.
    let bounds = block.generics.params.iter().map(text).filter(|bound| bound.contains(':'));
    let bounds: Vec<String> = bounds.collect();
    let bounds = match (bounds.is_empty(), where_clause(&block.generics)) {
        (true, clause) => clause,
        (false, clause) => {
            format!(" where {}{}", bounds.join(", "), clause.replacen(" where", ",", 1))
        }
    };
    let target = text(&block.self_ty);
    let of = target.contains('<') && block.generics.params.is_empty() && !target.ends_with("<'_>");
    let within = if of { format!(", of {target}{bounds}") } else { bounds };
    match item {
        ImplItem::Fn(item)
            if matches!(item.vis, Visibility::Public(_)) && !is_hidden(&item.attrs) =>
        {
            Some(format!("{}{within}", signature(&item.sig)))
        }
        ImplItem::Const(item)
            if matches!(item.vis, Visibility::Public(_)) && !is_hidden(&item.attrs) =>
        {
            Some(format!("const {}: {}{within}", item.ident, text(&item.ty)))
        }
        _ => None,
    }
}

fn signature(signature: &Signature) -> String {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        // `mut` before a parameter is no part of the interface.
        match input {
            syn::FnArg::Typed(input) => {
                input.attrs.clear();
                if let syn::Pat::Ident(name) = &mut *input.pat {
                    name.mutability = None;
                }
            }
            syn::FnArg::Receiver(receiver) => receiver.mutability = None,
        }
    }
    text(&signature.to_token_stream())
}
