//! Which crate may know which: `core <- patterns <- facade`, `core <- telemetry`, and no pattern another.

use cargo_metadata::DependencyKind;

use crate::hold;
use crate::workspace::{Member, Role, members};

#[test]
fn dependencies_follow_the_arrows() {
    hold(
        "A crate of the family may depend on those further in alone:",
        members().iter().flat_map(|member| {
            member.family().filter(|(other, kind)| !may_depend(member.role, other.role, *kind)).map(|(other, kind)| {
                format!(
                    "{}: {kind} dependency on {}, but {:?} may not know {:?}",
                    member.manifest(),
                    other.package.name,
                    member.role,
                    other.role
                )
            })
        }),
    );
}

/// Tests may use the test library, and its own tests run every pattern; what a user gets follows the arrows.
fn may_depend(from: Role, to: Role, kind: DependencyKind) -> bool {
    if kind == DependencyKind::Development && (to == Role::Testkit || from == Role::Testkit) {
        return true;
    }
    match from {
        Role::Core => false,
        Role::Pattern | Role::Telemetry | Role::Testkit => to == Role::Core,
        Role::Facade | Role::Example => !matches!(to, Role::Testkit | Role::Example),
    }
}

#[test]
fn facade_offers_the_whole_family() {
    let facade = members().iter().find(|member| member.role == Role::Facade).expect("the facade is a member");
    let offered: Vec<_> = facade.family().filter(|(_, kind)| *kind == DependencyKind::Normal).collect();
    hold(
        "Whoever takes `seawall` can reach every crate:",
        members()
            .iter()
            .filter(|member| matches!(member.role, Role::Core | Role::Pattern | Role::Telemetry))
            .filter(|member| !offered.iter().any(|(other, _)| other.package.name == member.package.name))
            .map(|member| format!("{}: lacks {}", facade.manifest(), member.package.name)),
    );
}

#[test]
fn packages_are_named_by_their_folder() {
    hold(
        "Package `seawall-<folder>`, library `seawall_<folder>`:",
        members().iter().filter(|member| !matches!(member.role, Role::Example)).filter_map(|member| {
            let folder = member.folder();
            let folder = folder.file_name()?.to_str()?;
            let name = if member.role == Role::Facade { folder.to_owned() } else { format!("seawall-{folder}") };
            let library = name.replace('-', "_");
            let right = *member.package.name == name && has_library(member, &library);
            (!right).then(|| format!("{}: should be package {name} with library {library}", member.manifest()))
        }),
    );
}

fn has_library(member: &Member, name: &str) -> bool {
    member.package.targets.iter().any(|target| target.is_lib() && target.name == name)
}
