use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-set-time")]
union SetTime {
    seconds: u64,
    nanoseconds: u64,
}

fn main() {}
