use super::Cassette;

fn load(text: &str) -> Result<Cassette, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tape.jsonl");
    std::fs::write(&path, text).unwrap();
    let shown = path.display().to_string();
    Cassette::load(&path).map_err(|error| error.to_string().replace(&shown, "tape.jsonl"))
}

#[test]
fn a_mistake_names_file_line_and_key() {
    let ok = "{\"cassette\": 1}\n";
    let cases = [
        ("", "tape.jsonl:1: cassette: the file is empty"),
        ("{}", "tape.jsonl:1: cassette: is missing"),
        (
            "{\"cassette\": 2}",
            "tape.jsonl:1: cassette: 2 is not a known version",
        ),
        ("{\"cassette\": 1}\n\n[]", "tape.jsonl:3: must be an object"),
        (
            "{\"cassette\": 1}\n{\"reply\": null}",
            "tape.jsonl:2: request: is missing",
        ),
        (
            "{\"cassette\": 1}\n{\"request\": {\"execute\": 1}, \"reply\": null}",
            "tape.jsonl:2: request.execute: must be a string",
        ),
        (
            "{\"cassette\": 1}\n{\"request\": {\"execute\": \"a\"}, \"reply\": {}}",
            "tape.jsonl:2: reply: has neither return nor error",
        ),
        (
            "{\"cassette\": 1}\n{\"request\": {\"execute\": \"a\", \"x\": 1}, \"reply\": null}",
            "tape.jsonl:2: request.x: is not a known key",
        ),
        (
            "{\"cassette\": 1}\n{",
            "tape.jsonl:2: column 1: is not JSON",
        ),
    ];
    for (text, wanted) in cases {
        let error = load(text).unwrap_err();
        assert!(error.starts_with(wanted), "{error}");
    }
    assert!(load(ok).unwrap().is_empty());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Cassette::load("/no/such/tape.jsonl").unwrap_err();
    assert!(
        error.to_string().starts_with("/no/such/tape.jsonl: "),
        "{error}"
    );
}
