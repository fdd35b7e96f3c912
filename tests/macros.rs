//! The code that the attributes accept, and their errors for other code.

#[test]
fn attributes_compile_valid_code_and_explain_invalid_code() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/macros/pass/*.rs");
    cases.compile_fail("tests/macros/fail/*.rs");
}
