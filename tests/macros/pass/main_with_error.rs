//! `main` can return errors of all kinds. These succeed.

#![forbid(unsafe_code)]
#![deny(warnings)]

mod anyhow_error {
    #[slurm::main]
    pub fn main() -> anyhow::Result<()> {
        Ok(())
    }
}

mod boxed_error {
    #[slurm::main]
    pub fn main() -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

mod boxed_error_that_can_be_sent {
    #[slurm::main]
    pub fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

mod text_error {
    #[slurm::main]
    pub fn main() -> Result<(), &'static str> {
        Ok(())
    }
}

mod own_error {
    #[slurm::main]
    pub fn main() -> slurm::Result<()> {
        Ok(())
    }
}

mod opaque_error {
    #[derive(Debug)]
    pub struct Opaque;

    #[slurm::main]
    pub fn main() -> Result<(), Opaque> {
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    let mains = [
        anyhow_error::main,
        boxed_error::main,
        boxed_error_that_can_be_sent::main,
        text_error::main,
        own_error::main,
        opaque_error::main,
    ];
    mains.into_iter().map(|main| main()).fold(std::process::ExitCode::SUCCESS, |all, code| {
        assert_eq!(code, std::process::ExitCode::SUCCESS);
        all
    })
}
