#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| qga_fuzz::monitor(data));

/// Without libFuzzer: runs the files that it is given, such as one that crashed.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    qga_fuzz::replay(qga_fuzz::monitor)
}
