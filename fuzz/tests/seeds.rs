//! The fuzz targets without a fuzzer: all seeds, and cheap changes of them, the same on every run.

use std::path::Path;

use qga_fuzz::{TARGETS, Target};

/// Changes of each target's seeds.
const CHANGES: u64 = 10_000;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % end.max(1)
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    seeds
}

fn change(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    const STRANGE: [&[u8]; 9] = [
        b"\xFF",
        b"\n",
        b"\"",
        b"{",
        b"[[",
        b"\0",
        b"\x01",
        b"-9223372036854775809",
        b"\xC3(",
    ];
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(20)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            2 => drop(bytes.splice(at..end, STRANGE[random.below(STRANGE.len())].to_vec())),
            3 => bytes.truncate(at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

fn holds(name: &str) {
    let target: Target = TARGETS
        .iter()
        .find(|(target, _)| *target == name)
        .unwrap()
        .1;
    let seeds = seeds(name);
    for seed in &seeds {
        run(target, seed);
    }
    let mut random = Random(1);
    for _ in 0..CHANGES {
        run(target, &change(&mut random, &seeds));
    }
}

fn run(target: Target, data: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| target(data)) {
        eprintln!("with {:?}", data.escape_ascii().to_string());
        std::panic::resume_unwind(panic);
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn each_target_has_its_test() {
            let tests = [$(stringify!($name)),*];
            assert_eq!(tests, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..]);
        }
    };
}

targets![
    addresses,
    client,
    command_line,
    frames,
    libvirt_packets,
    monitor,
    replies,
    responses,
    schema,
    testserver
];
