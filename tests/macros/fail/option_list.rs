#[slurm::task(mem = ["4G", "8G"], mail_type = ["END", "SOMETIMES"])]
fn train() {}

fn main() {}
