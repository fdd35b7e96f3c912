//! Modules of expanded crates, and the resolution of paths to items.

use std::collections::BTreeMap;

use syn::{Ident, Item, UseTree, Visibility};

/// The names of a crate, of modules, and maybe of an item.
pub(crate) type Path = Vec<String>;

#[derive(Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    pub(crate) uses: Vec<Use>,
    pub(crate) hidden: bool,
}

/// A name that a `use` brings into a module, or all names of a path.
pub(crate) struct Use {
    pub(crate) public: bool,
    /// `None` for `*`.
    pub(crate) name: Option<String>,
    pub(crate) path: Path,
    pub(crate) hidden: bool,
}

pub(crate) struct Crates {
    pub(crate) modules: BTreeMap<Path, Module>,
}

impl Crates {
    pub(crate) fn new(files: BTreeMap<String, syn::File>) -> Self {
        let mut crates = Self { modules: BTreeMap::new() };
        for (name, file) in files {
            crates.add(vec![name], file.items, false);
        }
        crates
    }

    fn add(&mut self, path: Path, items: Vec<Item>, hidden: bool) {
        let mut module = Module { hidden, ..Module::default() };
        for item in items {
            match item {
                Item::Use(item) => {
                    let public = matches!(item.vis, Visibility::Public(_));
                    flatten(&item.tree, &mut Vec::new(), &mut |name, path| {
                        module.uses.push(Use {
                            public,
                            name,
                            path,
                            hidden: is_hidden(&item.attrs),
                        });
                    });
                }
                Item::Mod(mut item) => {
                    let inner: Path =
                        path.iter().cloned().chain([item.ident.to_string()]).collect();
                    if let Some((_, items)) = item.content.take() {
                        self.add(inner, items, is_hidden(&item.attrs));
                    }
                    module.items.push(Item::Mod(item));
                }
                item => module.items.push(item),
            }
        }
        self.modules.insert(path, module);
    }

    /// Returns the module that defines the item to which `path` resolves in the module `at`, with the item's
    /// name there.
    pub(crate) fn resolve(&self, at: &[String], path: &[String]) -> Option<Path> {
        self.resolve_within(at, path, 0)
    }

    fn resolve_within(&self, at: &[String], path: &[String], depth: usize) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        let start = match first.as_str() {
            "crate" => at[..1].to_vec(),
            "self" => at.to_vec(),
            "super" => at[..at.len() - 1].to_vec(),
            name => {
                let library = vec![name.to_owned()];
                let library = self.modules.contains_key(&library).then_some(library);
                self.name_in(at, name, rest.is_empty(), depth + 1).or(library)?
            }
        };
        match rest {
            [] => Some(start),
            [next, ..] if next == "super" => self.resolve_within(&start, rest, depth + 1),
            _ => self.descend(start, rest, depth),
        }
    }

    fn descend(&self, mut at: Path, rest: &[String], depth: usize) -> Option<Path> {
        for (position, name) in rest.iter().enumerate() {
            at = self.name_in(&at, name, position + 1 == rest.len(), depth + 1)?;
        }
        Some(at)
    }

    /// Returns the item to which a name resolves in a module. A module and a function may have the same name:
    /// the last name of a path prefers the function, and names before it prefer the module.
    fn name_in(&self, module: &[String], name: &str, last: bool, depth: usize) -> Option<Path> {
        let found = self.modules.get(module)?;
        let here: Path = module.iter().cloned().chain([name.to_owned()]).collect();
        let mut items =
            found.items.iter().filter(|item| name_of(item).is_some_and(|ident| ident == name));
        let is_module = self.modules.contains_key(&here);
        let is_item = items.any(|item| !matches!(item, Item::Mod(_)));
        if if last { is_item } else { is_module } {
            return Some(here);
        }
        let used = found.uses.iter().filter_map(|used| match &used.name {
            Some(alias) if alias == name => self.resolve_elsewhere(module, used, depth + 1),
            Some(_) => None,
            None => {
                let inside = self.resolve_within(module, &used.path, depth + 1)?;
                (inside != module).then(|| self.name_in(&inside, name, last, depth + 1)).flatten()
            }
        });
        used.min_by_key(Vec::len).or((is_module || is_item).then_some(here))
    }

    /// Returns the item to which a `use` in a module resolves. In `use x::y as x`, the first `x` is the
    /// library.
    fn resolve_elsewhere(&self, at: &[String], used: &Use, depth: usize) -> Option<Path> {
        let (first, rest) = used.path.split_first()?;
        let library = std::slice::from_ref(first);
        if used.name.as_ref() == Some(first) && self.modules.contains_key(library) {
            return self.descend(library.to_vec(), rest, depth);
        }
        self.resolve_within(at, &used.path, depth)
    }
}

fn flatten(tree: &UseTree, before: &mut Path, take: &mut impl FnMut(Option<String>, Path)) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, take);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, take)),
        UseTree::Glob(_) => take(None, before.clone()),
        UseTree::Name(name) if name.ident == "self" => take(before.last().cloned(), before.clone()),
        UseTree::Name(name) => take(Some(name.ident.to_string()), with(before, &name.ident)),
        UseTree::Rename(rename) if rename.ident == "self" => {
            take(Some(rename.rename.to_string()), before.clone());
        }
        UseTree::Rename(rename) => {
            take(Some(rename.rename.to_string()), with(before, &rename.ident));
        }
    }
}

fn with(before: &[String], last: &Ident) -> Path {
    before.iter().cloned().chain([last.to_string()]).collect()
}

/// Returns the name of an item, if paths can end with it.
pub(crate) fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Mod(item) => Some(&item.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        Item::Macro(item) => item.ident.as_ref(),
        _ => None,
    }
}

/// Whether an item is hidden from the documentation, so users should not name it.
pub(crate) fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<Ident>().is_ok_and(|argument| argument == "hidden")
    })
}
