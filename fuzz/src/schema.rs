use std::collections::HashMap;

use qga_codegen::{Config, Schema, generate, skeleton};

/// Any text is a schema or is refused, and a schema has a data file to begin with; behind a NUL there
/// may be another one, and of both together comes code, or a list of mistakes and what is missing.
pub fn schema(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Such a schema reads files, which fuzzing should not.
    if text.contains("include") {
        return;
    }
    let (schema, config) = text.split_once('\0').unwrap_or((&text, ""));
    let schema = Schema::parse("fuzz.json", schema);
    if let Ok(schema) = &schema {
        let begun = Config::parse("begun.toml", skeleton(schema)).expect("it is a data file");
        if let Err(problems) = generate(schema, &begun) {
            assert_eq!(problems.missing(), "", "it lacks nothing");
        }
    }
    let config = Config::parse("fuzz.toml", config);
    let (Ok(schema), Ok(config)) = (&schema, &config) else {
        let mistakes = [
            schema.err().map(|e| e.to_string()),
            config.err().map(|e| e.to_string()),
        ];
        assert!(mistakes.iter().flatten().all(|text| !text.is_empty()));
        return;
    };
    match generate(schema, config) {
        Ok(files) => {
            let files: HashMap<_, _> = files.into_iter().collect();
            assert!(files.keys().all(|name| name.ends_with(".rs")));
        }
        Err(problems) => assert!(!problems.missing().starts_with('\n')),
    }
}
