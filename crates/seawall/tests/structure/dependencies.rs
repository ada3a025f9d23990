//! What comes from outside: licences, versions, compilers.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, PackageId};

use crate::hold;
use crate::workspace::{members, metadata, read, root};

/// What may be linked into a program that its owner licenses as they like.
const LICENCES: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Two versions of one package that nobody here can unite, each with the reason.
const DUPLICATES: [(&str, &str); 7] = [
    ("block-buffer", "as digest"),
    ("cpufeatures", "as digest"),
    ("crypto-common", "as digest"),
    ("digest", "sqlx asks for two generations of the same hashes; the order service alone takes it"),
    ("hashbrown", "sqlx asks for an older one than indexmap; the order service alone takes it"),
    ("sha2", "as digest"),
    ("syn", "derive macros are on their way from 2 to 3; compilers run them, programs do not hold them"),
];

#[test]
fn licences_are_permissive() {
    hold(
        "Licences of all dependencies:",
        metadata().packages.iter().filter_map(|package| {
            let licence = package.license.as_deref().unwrap_or("none");
            (!is_allowed(licence)).then(|| format!("{} {}: licence {licence}", package.name, package.version))
        }),
    );
}

/// Whether some choice that an SPDX expression grants is made of allowed licences alone.
fn is_allowed(expression: &str) -> bool {
    // Before SPDX expressions, `/` was written for `OR`.
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let (allowed, rest) = either(&words);
    allowed && rest.is_empty()
}

fn either<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = both(words);
    while let ["OR", after @ ..] = rest {
        let (next, after) = both(after);
        (allowed, rest) = (allowed || next, after);
    }
    (allowed, rest)
}

fn both<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    let (mut allowed, mut rest) = one(words);
    while let ["AND", after @ ..] = rest {
        let (next, after) = one(after);
        (allowed, rest) = (allowed && next, after);
    }
    (allowed, rest)
}

fn one<'a>(words: &'a [&'a str]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match either(inner) {
            (allowed, [")", rest @ ..]) => (allowed, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (LICENCES.contains(&format!("{licence} WITH {exception}").as_str()), rest)
        }
        [licence, rest @ ..] => (LICENCES.contains(licence), rest),
        [] => (false, words),
    }
}

#[test]
fn licence_expressions_are_understood() {
    for allowed in
        ["MIT", "MIT OR GPL-3.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "MIT/Apache-2.0", "GPL-2.0 OR MIT AND ISC"]
    {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "Apache-2.0 WITH GPL-exception", "", "(MIT"]
    {
        assert!(!is_allowed(refused), "{refused}");
    }
}

#[test]
fn each_package_comes_in_one_version() {
    let mut versions: BTreeMap<&str, BTreeSet<&Version>> = BTreeMap::new();
    for package in &metadata().packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let direct: BTreeSet<&str> = members()
        .iter()
        .flat_map(|member| &member.package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();

    let unlisted = versions.iter().filter(|(name, _)| !DUPLICATES.iter().any(|(listed, _)| listed == *name)).map(
        |(name, versions)| {
            let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
            let advice = if direct.contains(name) {
                "a direct dependency: ask for the version that the others use"
            } else {
                "unite them, or list the package with the reason"
            };
            format!("Cargo.lock: {name} {}: {advice}", versions.join(" and "))
        },
    );
    let stale = DUPLICATES
        .iter()
        .filter(|(name, _)| !versions.contains_key(name))
        .map(|(name, _)| format!("Cargo.lock: {name} is listed as a duplicate and comes in one version"));
    hold("Duplicate packages:", unlisted.chain(stale));
}

#[test]
fn published_packages_build_with_the_compiler_they_promise() {
    let resolve = metadata().resolve.as_ref().expect("metadata is resolved");
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut violations = Vec::new();
    for member in members().iter().filter(|member| member.is_published()) {
        let Some(promised) = member.package.rust_version.as_ref() else { continue };
        let mut reached: BTreeSet<&PackageId> = BTreeSet::new();
        let mut open = vec![&member.package.id];
        while let Some(id) = open.pop() {
            if !reached.insert(id) {
                continue;
            }
            let normal = |dependency: &&cargo_metadata::NodeDep| {
                dependency.dep_kinds.iter().any(|info| info.kind != DependencyKind::Development)
            };
            open.extend(nodes[id].deps.iter().filter(normal).map(|dependency| &dependency.pkg));
            let package = &metadata()[id];
            if package.rust_version.as_ref().is_some_and(|needed| needed > promised) {
                violations.push(format!(
                    "{}: promises Rust {promised}, but {} {} needs {}",
                    member.manifest(),
                    package.name,
                    package.version,
                    package.rust_version.as_ref().expect("it was compared"),
                ));
            }
        }
    }
    hold("Minimum Rust versions:", violations);
}

/// Measured against, and plugged into.
const PEERS_IN_USE: [&str; 1] = ["tower"];

/// Measured against, and used by what is used: by smol, and by the driver of SQLite. Nothing here asks for them.
const PEERS_BEHIND: [&str; 2] = ["async-channel", "flume"];

#[test]
fn peers_stay_in_the_benchmarks() {
    let benches: toml::Table = read(&root().join("benches/Cargo.toml")).parse().expect("a manifest");
    let peers = benches["dependencies"].as_table().expect("a table").iter().filter_map(|(name, entry)| {
        // A peer's version is pinned, as a figure is a figure of one version; everything else is asked for by a range.
        let version = entry.as_str().or_else(|| entry.get("version")?.as_str())?;
        version.starts_with('=').then_some(name.as_str())
    });
    hold(
        "What the family is measured against is no dependency of the family:",
        peers
            .filter(|peer| !PEERS_IN_USE.contains(peer))
            .filter(|peer| {
                let is_locked = metadata().packages.iter().any(|package| package.name == *peer);
                let mut dependencies =
                    metadata().workspace_packages().into_iter().flat_map(|package| &package.dependencies);
                is_locked && (!PEERS_BEHIND.contains(peer) || dependencies.any(|dependency| dependency.name == *peer))
            })
            .map(|peer| format!("Cargo.lock: {peer} is a peer of benches/Cargo.toml")),
    );
}
