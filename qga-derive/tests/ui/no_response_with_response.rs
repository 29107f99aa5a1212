use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", response = Done, no_response)]
struct Shutdown;

struct Done;

fn main() {}
