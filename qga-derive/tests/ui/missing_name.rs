use qga_core::QgaCommand;

#[derive(QgaCommand)]
struct WithoutAttribute;

#[derive(QgaCommand)]
#[qga(retry = Safe)]
struct WithoutName;

fn main() {}
