//! What the manifest of each package says.

use crate::hold;
use crate::workspace::{Member, Role, members, read};

#[test]
fn every_package_holds_to_the_workspace_lints() {
    hold(
        "`[lints] workspace = true`; forgetting it is silent:",
        members().iter().filter_map(|member| {
            let manifest = member.toml();
            let lints = manifest.get("lints").and_then(toml::Value::as_table);
            let inherits =
                lints.is_some_and(|lints| lints.get("workspace").and_then(toml::Value::as_bool) == Some(true));
            (!inherits && !is_testkit_table(member, lints))
                .then(|| format!("{}: does not take the workspace's lints", member.manifest()))
        }),
    );
}

/// The test library counts allocations, and a `GlobalAlloc` cannot be written without `unsafe`: a table of its own that
/// denies where the workspace forbids.
fn is_testkit_table(member: &Member, lints: Option<&toml::Table>) -> bool {
    member.role == Role::Testkit
        && lints
            .and_then(|lints| lints.get("rust")?.get("unsafe_code")?.as_str())
            .is_some_and(|level| matches!(level, "deny" | "forbid"))
}

#[test]
fn every_package_says_what_it_is() {
    hold(
        "Description, licence and repository in every manifest:",
        members().iter().flat_map(|member| {
            let package = member.package;
            let rules = [
                (package.description.as_ref().is_some_and(|text| one_line(text)), "a description of one line"),
                (package.license.as_deref() == Some("MIT OR Apache-2.0"), "license.workspace = true"),
                (package.repository.is_some(), "repository.workspace = true"),
                (package.rust_version.is_some(), "a rust-version"),
            ];
            missing(member, rules)
        }),
    );
}

#[test]
fn published_packages_are_ready_for_their_readers() {
    hold(
        "What the registry and docs.rs show:",
        members().iter().filter(|member| member.is_published()).flat_map(|member| {
            let package = member.package;
            let rules = [
                (package.readme.as_ref().is_some_and(|path| path == "README.md"), "readme = \"README.md\""),
                (
                    package.documentation.as_deref() == Some(&format!("https://docs.rs/{}", package.name)),
                    "documentation = its page on docs.rs",
                ),
                ((1..=5).contains(&package.keywords.len()), "one to five keywords"),
                (!package.categories.is_empty(), "categories.workspace = true"),
                (docs_rs_is_complete(member), "[package.metadata.docs.rs] with all-features, targets and rustdoc-args"),
                (
                    // Core is what the patterns are made of: their examples are its.
                    member.role == Role::Core || member.folder().join("examples/quick_start.rs").exists(),
                    "examples/quick_start.rs",
                ),
            ];
            missing(member, rules)
        }),
    );
}

/// docs.rs reads no workspace-wide table, so that each package needs its own.
fn docs_rs_is_complete(member: &Member) -> bool {
    let docs = &member.package.metadata["docs"]["rs"];
    let arguments: Vec<_> =
        docs["rustdoc-args"].as_array().into_iter().flatten().filter_map(|arg| arg.as_str()).collect();
    docs["all-features"] == true
        && docs["targets"].as_array().is_some_and(|targets| !targets.is_empty())
        && arguments == ["--cfg", "docsrs", "--generate-link-to-definition"]
}

#[test]
fn readmes_are_short_and_tested() {
    hold(
        "A crate's README has 60 to 120 lines, and its code runs as a test:",
        members().iter().filter(|member| member.is_published()).flat_map(|member| {
            let readme = member.folder().join("README.md");
            let lines = if readme.exists() { read(&readme).lines().count() } else { 0 };
            let library = read(&member.folder().join("src/lib.rs"));
            let rules = [
                ((60..=120).contains(&lines), "a README.md of 60 to 120 lines"),
                (library.contains("include_str!(\"../README.md\")"), "a lib.rs that includes README.md as a doctest"),
            ];
            missing(member, rules)
        }),
    );
}

#[test]
fn features_are_plain_nouns_and_hide_their_dependencies() {
    hold(
        "Features:",
        members().iter().filter(|member| member.is_published()).flat_map(|member| {
            let features = &member.package.features;
            let named = features
                .keys()
                .filter(|name| name.starts_with("use-") || name.starts_with("with-") || name.starts_with("no-"))
                .map(|name| format!("{}: feature `{name}` should be a plain noun", member.manifest()));
            let implied =
                member.package.dependencies.iter().filter(|dependency| dependency.optional).filter_map(|dependency| {
                    let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
                    let enabler = format!("dep:{name}");
                    let hidden =
                        member.toml().get("features").is_some_and(|features| features.to_string().contains(&enabler));
                    (!hidden).then(|| {
                        format!("{}: optional `{name}` should be switched on by `{enabler}`", member.manifest())
                    })
                });
            named.chain(implied).collect::<Vec<_>>()
        }),
    );
}

#[test]
fn programs_have_names_of_their_own() {
    let programs: Vec<_> = members()
        .iter()
        .flat_map(|member| member.package.targets.iter().map(move |target| (member, target)))
        .filter(|(_, target)| target.is_example() || target.is_bin())
        .map(|(member, target)| (member.manifest(), target.kind.clone(), target.name.as_str()))
        .collect();
    hold(
        "All examples are built into one folder, and all programs into another:",
        programs.iter().enumerate().filter_map(|(index, (manifest, kind, name))| {
            let (first, ..) = programs[..index].iter().find(|(_, other, taken)| other == kind && taken == name)?;
            Some(format!("{manifest}: `{name}` is the name of one of {first} too"))
        }),
    );
}

#[test]
fn versions_are_written_once() {
    hold(
        "Published packages take versions from [workspace.dependencies]:",
        members().iter().filter(|member| member.is_published()).flat_map(|member| {
            let manifest = member.toml();
            let platforms =
                manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
            let mut own = Vec::new();
            for table in platforms.filter_map(toml::Value::as_table).chain([&manifest]) {
                for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
                    let entries = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
                    own.extend(
                        entries
                            .filter(|(_, entry)| entry.get("workspace").and_then(toml::Value::as_bool) != Some(true))
                            .map(|(name, _)| {
                                format!("{}: [{section}] {name} should be `workspace = true`", member.manifest())
                            }),
                    );
                }
            }
            own
        }),
    );
}

fn one_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= 120 && !text.contains('\n')
}

fn missing<'a>(member: &Member, rules: impl IntoIterator<Item = (bool, &'a str)>) -> Vec<String> {
    rules
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, rule)| format!("{}: lacks {rule}", member.manifest()))
        .collect()
}
