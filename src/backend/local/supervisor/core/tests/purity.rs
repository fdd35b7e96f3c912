//! The core reaches nothing outside.

use std::fs;
use std::path::Path;

#[test]
fn the_core_has_no_files_processes_sockets_and_clocks() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/local/supervisor/core");
    let outside = [
        "std::fs",
        "std::io",
        "std::net",
        "std::os",
        "std::process",
        "std::thread",
        "std::env",
        "::now()",
        "SystemTime",
        "rustix::fs",
        "host()",
        "kill_",
        ".exists()",
        "super::super",
    ];
    let mut files = 0;
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let found: Vec<_> = outside.iter().filter(|word| text.contains(*word)).collect();
            assert!(found.is_empty(), "{}: {found:?}", entry.display());
            files += 1;
        }
    }
    assert!(files > 10, "{files} files");
}
