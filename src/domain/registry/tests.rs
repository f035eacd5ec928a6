//! How purposes lie in the tree, and which changes of them widen ALLOW or are refused.

use super::*;
use crate::domain::purpose::default_purposes;

fn named(name: &str) -> Purpose {
    Purpose {
        name: PurposeName::parse(name).unwrap(),
        description: String::new(),
        default_deny: false,
        essential: false,
        schema_version: 0,
    }
}

fn shipped() -> Registry {
    let mut registry = Registry::default();
    for purpose in default_purposes() {
        registry.put(purpose).unwrap();
    }
    registry.restore_schema_version(1);
    registry
}

fn reason(registry: &Registry, put: &Purpose) -> &'static str {
    registry.plan(put).unwrap_err().reason()
}

#[test]
fn paths_lead_to_the_root() {
    let registry = shipped();
    let id = |name: &str| registry.id(&PurposeName::parse(name).unwrap()).unwrap();
    let path: Vec<_> = registry.path(id("marketing.email")).collect();
    assert_eq!(
        path,
        [id("marketing.email"), id("marketing"), PurposeId::ROOT]
    );
    assert_eq!(registry.path(PurposeId::ROOT).count(), 1);
    assert!(registry.is_below(id("marketing.email"), id("marketing")));
    assert!(registry.is_below(id("marketing"), PurposeId::ROOT));
    assert!(!registry.is_below(id("marketing"), id("marketing")));
    assert!(!registry.is_below(PurposeId::ROOT, PurposeId::ROOT));
}

#[test]
fn listed_by_name() {
    let registry = shipped();
    let names: Vec<_> = registry.purposes().map(|p| p.name.clone()).collect();
    assert!(names.is_sorted());
    assert_eq!(names.len(), default_purposes().len());
}

#[test]
fn a_new_purpose_raises_the_version_and_needs_its_parent() {
    let mut registry = shipped();
    assert_eq!(reason(&registry, &named("a.b")), "PARENT_UNKNOWN");
    let planned = registry.plan(&named("a")).unwrap().unwrap().purpose;
    assert_eq!(planned.schema_version, 2);
    registry.put(planned).unwrap();
    assert_eq!(registry.schema_version(), 2);
    assert_eq!(registry.plan(&named("a")).unwrap(), None);
    assert!(registry.plan(&named("a.b")).unwrap().is_some());
}

#[test]
fn a_description_is_no_change_of_meaning() {
    let registry = shipped();
    let mut put = named("sale");
    put.description = "reworded".to_owned();
    let version = |put: &Purpose| {
        let plan = registry.plan(put).unwrap().unwrap();
        plan.purpose.schema_version
    };
    assert_eq!(version(&put), 0);
    put.default_deny = true;
    assert_eq!(version(&put), 2);
}

#[test]
fn what_widens_allow_is_told() {
    let registry = shipped();
    let widens = |put: &Purpose| registry.plan(put).unwrap().unwrap().widens;
    let mut essential = named("sale");
    essential.essential = true;
    assert!(widens(&essential));
    essential.name = PurposeName::parse("service.more").unwrap();
    assert!(widens(&essential));
    assert!(widens(&named("ai_training")));
    let mut narrower = named("sale");
    narrower.default_deny = true;
    assert!(!widens(&narrower));
    assert!(!widens(&named("service.legal")));
    assert!(!widens(&named("games")));
    // Beneath what denies by default, near or far.
    let mut registry = registry.clone();
    let mut put = |name: &str, default_deny| {
        let purpose = Purpose {
            default_deny,
            ..named(name)
        };
        let plan = registry.plan(&purpose).unwrap().unwrap();
        registry.put(plan.purpose).unwrap();
        plan.widens
    };
    assert!(put("ai_training.images", false));
    assert!(put("ai_training.images.faces", false));
    assert!(!put("ai_training.text", true));
    assert!(!put("sale.deny", true));
    assert!(!put("sale.allow", false));
}

#[test]
fn essential_only_beneath_essential() {
    let registry = shipped();
    let mut put = named("marketing.legal");
    put.essential = true;
    assert_eq!(reason(&registry, &put), "ESSENTIAL_MISPLACED");
    put.name = PurposeName::parse("service.more").unwrap();
    assert!(registry.plan(&put).unwrap().is_some());
    put.name = PurposeName::parse("more").unwrap();
    assert!(registry.plan(&put).unwrap().is_some());
    assert_eq!(reason(&registry, &named("service")), "ESSENTIAL_MISPLACED");
}

#[test]
fn which_take_preferences() {
    let registry = shipped();
    let of = |name| registry.preferable(&PurposeName::parse(name).unwrap());
    assert_eq!(of("*").unwrap(), PurposeId::ROOT);
    assert!(of("marketing").is_ok());
    assert_eq!(
        of("service.legal").unwrap_err().reason(),
        "PURPOSE_ESSENTIAL"
    );
    assert_eq!(of("nothing").unwrap_err().reason(), "PURPOSE_UNKNOWN");
}
