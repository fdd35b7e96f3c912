//! The reference page.

/// Returns the reference page of all options, in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from("# Options\n");
    for option in super::OPTIONS {
        page.push_str(&format!("\n## `{}`\n\n{}\n", option.key, option.summary));
    }
    page
}
