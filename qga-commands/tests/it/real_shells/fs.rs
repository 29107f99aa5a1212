//! Files and folders by their paths.

use std::io::ErrorKind;
use std::time::{Duration, UNIX_EPOCH};

use qga_commands::GuestError;
use qga_core::Execution;

use super::{Place, places};

fn kind(error: &GuestError) -> ErrorKind {
    match error {
        GuestError::Path { kind, .. } => *kind,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn folders_are_made_with_those_above_them_and_may_be_there() {
    for Place {
        name, guest, base, ..
    } in &places("folders").await
    {
        let deep = format!("{base}/a/b c/-d");
        for _ in 0..2 {
            guest.create_dir_all(&deep).await.unwrap();
            assert!(guest.metadata(&deep).await.unwrap().is_dir(), "{name}");
        }
        let file = format!("{base}/file");
        guest.write(&file, "x").await.unwrap();
        for path in [file.clone(), format!("{file}/x")] {
            let error = guest.create_dir_all(path).await.unwrap_err();
            assert!(
                matches!(
                    kind(&error),
                    ErrorKind::AlreadyExists | ErrorKind::NotADirectory
                ),
                "{name}: {error:?}"
            );
            assert_eq!(error.execution(), Execution::Answered);
            let text = error.to_string();
            assert!(
                text.contains("create the directory") && text.contains("file"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_there_is_told() {
    for Place {
        name, guest, base, ..
    } in &places("metadata").await
    {
        let file = format!("{base}/file");
        guest.write(&file, "12345").await.unwrap();
        let metadata = guest.metadata(&file).await.unwrap();
        assert!(
            metadata.is_file() && !metadata.is_dir() && !metadata.is_symlink(),
            "{name}"
        );
        assert_eq!(
            (metadata.len(), metadata.mode() & 0o600),
            (5, 0o600),
            "{name}"
        );
        assert!(metadata.modified().unwrap() > UNIX_EPOCH + Duration::from_secs(1_600_000_000));
        assert!(guest.try_exists(&file).await.unwrap());
        for path in [format!("{base}/none"), format!("{base}/no/ne")] {
            assert!(!guest.try_exists(&path).await.unwrap(), "{name}");
            let error = guest.metadata(&path).await.unwrap_err();
            assert_eq!(kind(&error), ErrorKind::NotFound, "{name}");
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::NotFound);
        }
        let error = guest.try_exists(format!("{file}/x")).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotADirectory, "{name}");
    }
}

#[tokio::test]
async fn a_folder_is_read_in_the_order_of_its_names_and_no_further() {
    for Place {
        name, guest, base, ..
    } in &places("a folder").await
    {
        assert!(guest.read_dir(base).await.unwrap().is_empty(), "{name}");
        for folder in ["b", "b/inner", " new\nline", "-x"] {
            guest
                .create_dir_all(format!("{base}/{folder}"))
                .await
                .unwrap();
        }
        guest.write(format!("{base}/a.txt"), "123").await.unwrap();
        guest.write(format!("{base}/.hidden"), "").await.unwrap();
        let entries = guest.read_dir(format!("{base}/")).await.unwrap();
        let names: Vec<_> = entries
            .iter()
            .map(|entry| entry.file_name().into_owned())
            .collect();
        assert_eq!(
            names,
            [" new\nline", "-x", ".hidden", "a.txt", "b"],
            "{name}"
        );
        let file = &entries[3];
        assert_eq!(file.path(), format!("{base}/a.txt"));
        assert_eq!(
            (file.metadata().len(), file.file_type().is_file()),
            (3, true),
            "{name}"
        );
        assert!(entries[4].file_type().is_dir());
        let error = guest.read_dir(file.path()).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotADirectory, "{name}");
        let error = guest.read_dir(format!("{base}/none")).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotFound, "{name}");
    }
}

#[tokio::test]
async fn files_are_removed_and_folders_are_not() {
    for Place {
        name, guest, base, ..
    } in &places("removal").await
    {
        let (file, folder) = (format!("{base}/file"), format!("{base}/folder"));
        guest.write(&file, "x").await.unwrap();
        guest.create_dir_all(&folder).await.unwrap();
        guest.remove_file(&file).await.unwrap();
        assert!(!guest.try_exists(&file).await.unwrap(), "{name}");
        let error = guest.remove_file(&file).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::NotFound, "{name}");
        let error = guest.remove_file(&folder).await.unwrap_err();
        assert_eq!(kind(&error), ErrorKind::IsADirectory, "{name}");
        assert!(guest.try_exists(&folder).await.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let (agent, guest) = crate::support::faults::reconnecting().await;
    for path in ["", "/a\0b"] {
        let refused = [
            guest.create_dir_all(path).await.unwrap_err(),
            guest.remove_file(path).await.unwrap_err(),
            guest.try_exists(path).await.unwrap_err(),
            guest.metadata(path).await.unwrap_err(),
            guest.read_dir(path).await.unwrap_err(),
            guest.upload("/etc/hostname", path).await.unwrap_err(),
            guest.download(path, "/nowhere").await.unwrap_err(),
            guest
                .command("x")
                .current_dir(path)
                .output()
                .await
                .unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, GuestError::InvalidInput(_)), "{error:?}");
        }
    }
    assert!(agent.requests_of("guest-exec").is_empty());
}
