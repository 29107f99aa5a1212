use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = safe)]
struct Misspelled;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = Always)]
struct Unknown;

fn main() {}
