//! Imports point one way, in the order of the tables below "Layers" in docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// The crates in which no two modules may import each other, even through other modules.
const CRATES: [&str; 5] = [".", "slurm-core", "slurm-host", "slurm-macros", "slurm-runner"];

/// The crates whose modules have an order, with the heading above its table.
const ORDERED: [(&str, &str); 2] = [(".", "## Layers"), ("slurm-host", "### Inside slurm-host")];

#[test]
fn modules_import_only_modules_above_them_in_the_table() {
    let mut wrong = Vec::new();
    for (name, heading) in ORDERED {
        let order = order(heading);
        let place = |module: &str| order.iter().position(|other| other == module);
        for (module, imports) in imports_of(name) {
            let Some(own) = place(&module) else {
                wrong.push(format!("`{module}` has no line in the table of {name}"));
                continue;
            };
            let is_above = |other: &&String| place(other).is_some_and(|other| other < own);
            let above = imports.iter().filter(|other| !is_above(other));
            wrong.extend(above.map(|other| format!("{name}: `{module}` imports `{other}`")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}: move the shared code to the layer that owns it");
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for name in CRATES {
        let mut imports = imports_of(name);
        // Items of the crate's root, such as macros, are in no module.
        let modules: BTreeSet<String> = imports.keys().cloned().collect();
        imports.values_mut().for_each(|of| of.retain(|other| modules.contains(other)));
        // A module without remaining imports is in no circle.
        while let Some(free) = imports.iter().find(|(_, of)| of.is_empty()).map(|(m, _)| m.clone())
        {
            imports.remove(&free);
            imports.values_mut().for_each(|of| of.retain(|other| *other != free));
        }
        assert!(imports.is_empty(), "in or above a circle of {name}: {imports:#?}");
    }
}

/// Returns the modules in the order of the table below a heading. A row may name several of them, in order.
fn order(heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = text.split(&format!("\n{heading}\n")).nth(1).expect("there is a table of layers");
    let rows = table.split("\n#").next().unwrap_or_default().lines();
    let firsts = rows.filter(|row| row.starts_with("| `")).filter_map(|row| row.split('|').nth(1));
    firsts.flat_map(|first| first.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the imports between the top modules of a crate.
fn imports_of(name: &str) -> Imports {
    let dir = root().join(name).join("src");
    let mut imports = Imports::new();
    let mut files = vec![(dir, Vec::new())];
    while let Some((path, module)) = files.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap().path();
                let stem = entry.file_stem().unwrap().to_str().unwrap();
                let is_rust = entry.is_dir() || entry.extension().is_some_and(|end| end == "rs");
                let own = (!matches!(stem, "mod" | "lib")).then(|| stem.to_owned());
                if is_rust {
                    files.push((entry.clone(), module.iter().cloned().chain(own).collect()));
                }
            }
        } else if !module.is_empty() {
            let text = fs::read_to_string(&path).unwrap();
            let tokens = TokenStream::from_str(&text).expect("it is Rust");
            imports.entry(module[0].clone()).or_default();
            record(&module, &tokens.into_iter().collect::<Vec<_>>(), &mut imports);
        }
    }
    imports
}

/// Records the paths that begin with `crate` or `super`, in code and in macros.
fn record(module: &[String], tokens: &[TokenTree], imports: &mut Imports) {
    let word = |at: usize| tokens.get(at).map(ToString::to_string).unwrap_or_default();
    let is_path = |at: usize| word(at) == ":" && word(at + 1) == ":";
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let inner: Vec<_> = group.stream().into_iter().collect();
            let named = at >= 2 && word(at - 2) == "mod";
            let below = named.then(|| word(at - 1));
            let module: Vec<_> = module.iter().cloned().chain(below).collect();
            record(&module, &inner, imports);
            continue;
        }
        let is_first = at < 2 || !is_path(at - 2);
        let first = word(at);
        if !is_path(at + 1) || !is_first || at > 0 && word(at - 1) == "$" {
            continue;
        }
        let (mut base, mut next) = match &*first {
            "crate" => (Vec::new(), at + 3),
            "super" => (module[..module.len() - 1].to_vec(), at + 3),
            _ => continue,
        };
        while word(next) == "super" && is_path(next + 1) {
            base.pop();
            next += 3;
        }
        let names = match (base.first(), tokens.get(next)) {
            (Some(top), _) => vec![top.clone()],
            (None, Some(TokenTree::Group(group))) => first_names(group.stream()),
            (None, name) => name.map(ToString::to_string).into_iter().collect(),
        };
        let others = names.into_iter().filter(|name| *name != module[0] && name != "self");
        imports.entry(module[0].clone()).or_default().extend(others);
    }
}

/// Returns the first name of each path in the braces of a `use`.
fn first_names(paths: TokenStream) -> Vec<String> {
    let tokens: Vec<_> = paths.into_iter().collect();
    let paths = tokens.split(|token| token.to_string() == ",");
    paths.filter_map(|path| Some(path.first()?.to_string())).collect()
}
