use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = Safe, name = "guest-pong")]
#[qga(retry = Never)]
struct Ping {
    #[qga(skip, skip)]
    sent: bool,
}

fn main() {}
