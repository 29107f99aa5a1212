use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_response)]
enum Shutdown {
    Halt,
    Reboot,
}

fn main() {}
