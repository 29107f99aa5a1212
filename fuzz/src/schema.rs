use std::collections::HashMap;

use qga_codegen::{Config, Schema, generate};

/// Any text is a schema or is refused; behind a NUL there may be a data file, and of both together
/// comes code, or a list of mistakes.
pub fn schema(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Such a schema reads files, which fuzzing should not.
    if text.contains("include") {
        return;
    }
    let (schema, config) = text.split_once('\0').unwrap_or((&text, ""));
    let schema = Schema::parse("fuzz.json", schema);
    let config = Config::parse("fuzz.toml", config);
    let (Ok(schema), Ok(config)) = (&schema, &config) else {
        let mistakes = [
            schema.err().map(|e| e.to_string()),
            config.err().map(|e| e.to_string()),
        ];
        assert!(mistakes.iter().flatten().all(|text| !text.is_empty()));
        return;
    };
    if let Ok(files) = generate(schema, config) {
        let files: HashMap<_, _> = files.into_iter().collect();
        assert!(files.keys().all(|name| name.ends_with(".rs")));
    }
}
