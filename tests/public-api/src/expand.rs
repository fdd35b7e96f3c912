//! The source of crates of this workspace, with macros expanded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the public libraries of the workspace by name.
pub(crate) fn workspace() -> BTreeMap<String, syn::File> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version=1"]));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("metadata of cargo");
    let packages = metadata["packages"].as_array().expect("packages");
    let libraries =
        packages.iter().filter(|package| package["publish"].is_null()).filter_map(|package| {
            let targets = package["targets"].as_array()?;
            let library = targets.iter().find(|target| target["kind"][0] == "lib")?;
            Some((package["name"].as_str()?, library["name"].as_str()?.replace('-', "_")))
        });
    libraries.map(|(package, library)| (library, expanded(package))).collect()
}

fn expanded(package: &str) -> syn::File {
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("rustc");
    let mut command = cargo();
    command.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    command.args(["rustc", "--locked", "--lib", "--profile", "check", "--package", package]);
    let source = output(command.args(["--", "-Zunpretty=expanded"]));
    syn::parse_file(&source).unwrap_or_else(|error| panic!("{package}, expanded: {error}"))
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("cargo cannot be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output of cargo is UTF-8")
}
