use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "")]
struct Ping;

fn main() {}
