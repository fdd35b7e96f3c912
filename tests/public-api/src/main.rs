//! Prints the public items of `slurm`: all names for users, with signatures, fields, variants and implemented
//! traits.
//!
//! The compiler expands the macros of each crate, and this program parses the result as text, so a stable
//! toolchain is enough. A test compares the result with the list in `docs/public-api.txt`.

mod crates;
mod expand;
mod list;
mod print;

use crates::Crates;

fn main() {
    let items = list::items(&Crates::new(expand::workspace()), "slurm");
    println!("{}", items.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_public_items_is_up_to_date() {
        let path = expand::root().join("docs/public-api.txt");
        let listed = std::fs::read_to_string(&path).unwrap();
        let listed: Vec<&str> = listed.lines().collect();
        let items = list::items(&Crates::new(expand::workspace()), "slurm");
        let items: Vec<&str> = items.iter().flat_map(|item| item.lines()).collect();
        let gone =
            listed.iter().filter(|line| !items.contains(line)).map(|line| format!("- {line}"));
        let new =
            items.iter().filter(|line| !listed.contains(line)).map(|line| format!("+ {line}"));
        assert!(
            items == listed,
            "the public items have changed; if that is intended:\n\
             cargo run -p slurm-sdk-public-api > docs/public-api.txt\n{}",
            gone.chain(new).collect::<Vec<_>>().join("\n")
        );
    }
}
