use qga_core::QgaCommand;

struct NotACommand;

fn execute<C: QgaCommand>(_: C) {}

fn main() {
    execute(NotACommand);
}
