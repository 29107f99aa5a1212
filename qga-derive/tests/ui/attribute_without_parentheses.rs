use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga = "guest-ping"]
struct Assigned;

#[derive(QgaCommand)]
#[qga]
struct Bare;

fn main() {}
