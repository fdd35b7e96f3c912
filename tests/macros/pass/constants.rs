//! Options whose values are constants of the program.

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

mod limits {
    pub const CPUS: u32 = 2;
    pub const MEMORY: &str = "4G";
    pub const MAIL: [&str; 2] = ["END", "FAIL"];
}

#[slurm::task(
    time = LIMIT,
    cpus_per_task = limits::CPUS,
    mem = limits::MEMORY,
    mail_type = limits::MAIL,
    extra = "a word for the site"
)]
fn train() {}

fn main() {
    let cluster = slurm::Cluster::local().unwrap();
    let script = train::job().explain(&cluster).unwrap().script;
    for line in ["--time=00:10:00", "--cpus-per-task=2", "--mem=4G", "--mail-type=END,FAIL", "--extra='a word for the site'"] {
        assert!(script.contains(&format!("#SBATCH {line}\n")), "{line} is not in {script}");
    }
}
