struct Workflow;

#[slurm::workflow]
fn of_another_type(_flow: &Workflow) {}

fn main() {}
