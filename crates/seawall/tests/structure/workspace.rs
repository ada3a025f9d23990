//! What cargo and the file system know of the workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What cargo resolves for one target: the answer is the same on every machine.
pub(crate) fn metadata() -> &'static Metadata {
    static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
        MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked", "--filter-platform", "x86_64-unknown-linux-gnu"].map(String::from))
            .exec()
            .expect("cargo reads the workspace")
    });
    &METADATA
}

/// A package of this workspace and its role in the house.
pub(crate) struct Member {
    pub(crate) package: &'static Package,
    pub(crate) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `seawall-core`: the vocabulary.
    Core,
    /// One resilience pattern.
    Pattern,
    /// `seawall-telemetry`: export.
    Telemetry,
    /// `seawall`: re-exports and the manual.
    Facade,
    /// `seawall-testkit`: what tests share.
    Testkit,
    /// Below `examples/`.
    Example,
}

impl Member {
    /// The manifest, from the repository's root on.
    pub(crate) fn manifest(&self) -> String {
        relative(self.package.manifest_path.as_std_path())
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.package.manifest_path.parent().expect("a manifest stands in a folder").into()
    }

    /// `publish = false` leaves an empty list of registries.
    pub(crate) fn is_published(&self) -> bool {
        self.package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn toml(&self) -> toml::Table {
        let text = read(self.package.manifest_path.as_std_path());
        text.parse().expect("cargo has read this manifest")
    }

    /// The members that this one depends on, with the kind of each dependency.
    pub(crate) fn family(&self) -> impl Iterator<Item = (&'static Member, DependencyKind)> {
        self.package.dependencies.iter().filter_map(|dependency| {
            let member = members().iter().find(|member| *member.package.name == dependency.name)?;
            Some((member, dependency.kind))
        })
    }
}

/// Every package of the workspace.
pub(crate) fn members() -> &'static [Member] {
    static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
        metadata().workspace_packages().into_iter().map(|package| Member { package, role: role(package) }).collect()
    });
    &MEMBERS
}

fn role(package: &Package) -> Role {
    if package.manifest_path.components().any(|part| part.as_str() == "examples") {
        return Role::Example;
    }
    match package.name.as_str() {
        "seawall-core" => Role::Core,
        "seawall-telemetry" => Role::Telemetry,
        "seawall" => Role::Facade,
        "seawall-testkit" => Role::Testkit,
        _ => Role::Pattern,
    }
}

/// Every Rust file below `folder`, ordered by path.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", relative(path)))
}

/// A path as a reader of the repository knows it.
pub(crate) fn relative(path: &Path) -> String {
    let root = root().canonicalize().expect("the repository exists");
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.strip_prefix(&root).unwrap_or(&path).display().to_string()
}
