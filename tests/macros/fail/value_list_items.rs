#[slurm::task(mail_type = ["END", [1], 1.5, true, "FAIL" "NONE", ,])]
fn train() {}

fn main() {}
