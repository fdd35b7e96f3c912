//! The forms of `main`.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
#![allow(dead_code)]

mod with_cluster {
    #[slurm::main]
    pub fn main(mut cluster: slurm::Cluster) -> slurm::Result<()> {
        let _ = &mut cluster;
        Ok(())
    }
}

mod without_looking_at_the_cluster {
    #[slurm::main]
    fn main(_: slurm::Cluster) {}
}

mod with_exit_code {
    #[slurm::main]
    fn main() -> std::process::ExitCode {
        std::process::ExitCode::from(3)
    }
}

mod that_returns_an_exit_code_or_an_error {
    #[slurm::main]
    fn main(_cluster: slurm::Cluster) -> anyhow::Result<std::process::ExitCode> {
        Ok(std::process::ExitCode::from(3))
    }
}

mod that_never_returns {
    #[slurm::main]
    fn main() -> ! {
        std::process::exit(0)
    }
}

mod that_names_a_trait {
    #[slurm::main]
    fn main() -> impl std::process::Termination {}
}

mod that_is_not_there {
    #[slurm::main]
    #[cfg(any())]
    fn main() -> Missing {}

    #[slurm::main(crate = ::slurm)]
    #[cfg(all())]
    fn main() {}
}

mod among_shadows {
    pub struct Ok;
    pub struct Err;
    pub type Result = ::std::result::Result<(), ::std::string::String>;
    pub mod std {}
    pub mod core {}
    pub mod slurm {}

    #[::slurm::main]
    fn main(_cluster: ::slurm::Cluster) -> Result {
        Result::Ok(())
    }
}

/// The `main` of this program, which uses its own name.
#[slurm::main]
fn main() {
    let _: fn() = main;
}
