//! Tasks can return errors of all kinds.

#![forbid(unsafe_code)]
#![deny(warnings)]

#[derive(Debug)]
pub struct Opaque;

mod alias {
    pub type Result<T> = std::result::Result<T, super::Opaque>;
}

#[slurm::task]
fn io() -> std::io::Result<u8> {
    Ok(1)
}

#[slurm::task]
fn any() -> anyhow::Result<u8> {
    Ok(1)
}

#[slurm::task]
fn boxed() -> Result<u8, Box<dyn std::error::Error>> {
    Ok(1)
}

#[slurm::task]
fn boxed_to_send() -> Result<u8, Box<dyn std::error::Error + Send + Sync + 'static>> {
    Ok(1)
}

#[slurm::task]
fn text() -> Result<u8, &'static str> {
    Ok(1)
}

#[slurm::task]
fn opaque() -> alias::Result<u8> {
    Ok(1)
}

#[slurm::task]
fn nested() -> Result<Result<u8, String>, Opaque> {
    Ok(Ok(1))
}

#[slurm::task]
fn value_that_is_a_result_inside() -> Option<Result<u8, String>> {
    None
}

fn main() {
    fn output<T>(_: &slurm::JobBuilder<T>) -> &'static str
    where
        T: slurm::Task,
    {
        std::any::type_name::<T::Output>()
    }
    for name in [
        output(&io::job()),
        output(&any::job()),
        output(&boxed::job()),
        output(&boxed_to_send::job()),
        output(&text::job()),
        output(&opaque::job()),
    ] {
        assert_eq!(name, "u8");
    }
    assert!(output(&nested::job()).contains("Result"));
    assert!(output(&value_that_is_a_result_inside::job()).starts_with("core::option::Option"));
}
