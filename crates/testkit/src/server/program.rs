use std::path::PathBuf;

use super::ServerError;

/// The folders of `PATH`, in its order.
pub(super) fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The first of `folders` that has all of `programs`.
pub(super) fn find_folder(
    programs: &'static [&'static str],
    folders: Vec<PathBuf>,
    install: &'static str,
) -> Result<PathBuf, ServerError> {
    let has_all = |folder: &&PathBuf| programs.iter().all(|program| folder.join(program).is_file());
    match folders.iter().find(has_all) {
        Some(folder) => Ok(folder.clone()),
        None => Err(ServerError::Missing { programs, searched: folders, install }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_must_have_all_programs() {
        let [half, whole] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        for program in [half.path().join("postgres"), whole.path().join("postgres"), whole.path().join("initdb")] {
            std::fs::write(program, "").expect("a file in a temporary folder");
        }
        let folders = vec![half.path().to_owned(), whole.path().to_owned()];
        let found = find_folder(&["postgres", "initdb"], folders, "apt-get install postgresql");
        assert_eq!(found.expect("the second folder has both"), whole.path());
    }

    #[test]
    fn a_missing_program_is_named_with_where_it_was_sought_and_how_to_install_it() {
        let folders = vec![PathBuf::from("/nowhere/bin"), PathBuf::from("/nowhere/sbin")];
        let error = find_folder(&["redis-server"], folders, "apt-get install redis-server").expect_err("it is nowhere");
        assert_eq!(
            error.to_string(),
            "redis-server not found in /nowhere/bin:/nowhere/sbin; install: apt-get install redis-server"
        );
    }
}
