//! The house rules that no compiler checks: which crate may know which, what a manifest says, what a file may hold.
//!
//! Every rule collects all its violations, each as `file: rule`, so that one run tells everything.

mod arrows;
mod dependencies;
mod manifests;
mod sources;
mod workspace;

/// Ends the test with every violation, one a line.
fn hold(rule: &str, violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{rule}\n  {}\n", violations.join("\n  "));
}
