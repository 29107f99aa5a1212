use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest ping")]
struct Blank;

#[derive(QgaCommand)]
#[qga(name = "guest-ping\n")]
struct ControlCharacter;

#[derive(QgaCommand)]
#[qga(name = "\"guest-ping\"")]
struct Quotes;

#[derive(QgaCommand)]
#[qga(name = "guest-ping")]
struct OnFields {
    #[qga(rename = "file path")]
    path: String,
    größe: u64,
}

fn main() {}
