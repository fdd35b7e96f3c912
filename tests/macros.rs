//! What the attributes accept, and what they say about the rest.

#[test]
fn what_the_attributes_accept_compiles_and_what_they_refuse_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/macros/pass/*.rs");
    cases.compile_fail("tests/macros/fail/*.rs");
}
