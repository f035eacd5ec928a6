//! What those do who run the cluster, over gRPC: the registry, and what takes two of them.

use std::time::{Duration, SystemTime};

use refrain::proto::v1::pending_change::Change;
use refrain::proto::v1::{
    AddNamespaceRequest, ApproveChangeRequest, ApproveOverrideRequest, ConfigureNamespaceRequest,
    ListNamespacesRequest, ListOverridesRequest, ListPendingChangesRequest, ListPurposesRequest,
    ListServicesRequest, NamespaceSettings, OverrideScope, OverrideState, PendingChange,
    ProposeChangeRequest, ProposeOverrideRequest, Purpose, PutPurposeRequest, Reason,
    RevokeOverrideRequest, SchemaFloor, SetSchemaFloorRequest, WithdrawChangeRequest,
    override_service_client::OverrideServiceClient, registry_service_client::RegistryServiceClient,
};

use super::Site;
use crate::support::eventually;
use crate::ways_in::trio::{ADA, BOB, question_of};

pub async fn of_the_registry(site: &Site) {
    let mut near = RegistryServiceClient::new(site.trio.line(site.near, ADA));
    let mut far = RegistryServiceClient::new(site.trio.line(site.far, ADA));
    let add = AddNamespaceRequest {
        namespace: "shop".to_owned(),
        ..AddNamespaceRequest::default()
    };
    assert!(near.add_namespace(add).await.unwrap().get_ref().changed);
    let meant = NamespaceSettings {
        gpc_purposes: vec!["*".to_owned()],
    };
    let set = ConfigureNamespaceRequest {
        namespace: "shop".to_owned(),
        settings: Some(meant.clone()),
        ..ConfigureNamespaceRequest::default()
    };
    let set = near.configure_namespace(set).await.unwrap();
    assert!(set.get_ref().changed);
    let all = far.list_namespaces(ListNamespacesRequest {}).await.unwrap();
    let all = all.into_inner();
    assert_eq!(all.namespaces, ["default", "shop"]);
    assert_eq!(all.settings[1], meant);

    let post = Purpose {
        name: "marketing.post".to_owned(),
        default_deny: Some(true),
        ..Purpose::default()
    };
    let put = PutPurposeRequest {
        purpose: Some(post.clone()),
        ..PutPurposeRequest::default()
    };
    let put = near.put_purpose(put).await.unwrap().into_inner();
    let all = far.list_purposes(ListPurposesRequest {}).await.unwrap();
    let all = all.into_inner();
    let listed = all.purposes.iter().find(|it| it.name == post.name);
    assert_eq!(listed, put.purpose.as_ref());

    let floor = SetSchemaFloorRequest {
        floor: Some(SchemaFloor {
            purpose: post.name.clone(),
            version: all.schema_version,
        }),
        ..SetSchemaFloorRequest::default()
    };
    let set = near.set_schema_floor(floor).await.unwrap();
    assert!(set.get_ref().changed);
    let asked = question_of("catalogue", "grace@example.com", &post.name);
    let refused = site.trio.check(site.far, ADA, asked).await.unwrap_err();
    assert!(refused.message().contains("schema"), "{refused:?}");
    eventually("the refusal is counted", || async {
        let mut near = near.clone();
        let seen = near.list_services(ListServicesRequest {}).await.unwrap();
        let mut seen = seen.into_inner().services.into_iter();
        let seen = seen.find(|it| it.service == "catalogue")?;
        assert_eq!((seen.calls, seen.below_floor), (1, 1));
        Some(())
    })
    .await;
}

pub async fn by_two_principals(site: &Site) {
    let mut ada = RegistryServiceClient::new(site.trio.line(site.near, ADA));
    let mut bob = RegistryServiceClient::new(site.trio.line(site.far, BOB));
    let lower = SchemaFloor {
        purpose: "marketing.post".to_owned(),
        version: 0,
    };
    let wider = Purpose {
        name: "profiling".to_owned(),
        default_deny: Some(false),
        ..Purpose::default()
    };
    let mut ids = Vec::new();
    for change in [Change::Floor(lower), Change::Purpose(wider)] {
        let propose = ProposeChangeRequest {
            change: Some(PendingChange {
                change: Some(change),
            }),
            ..ProposeChangeRequest::default()
        };
        let proposed = ada.propose_change(propose).await.unwrap();
        ids.push(proposed.into_inner().change_id);
    }
    let waiting = bob.list_pending_changes(ListPendingChangesRequest {});
    let waiting = waiting.await.unwrap().into_inner().changes;
    let waiting: Vec<_> = waiting.into_iter().map(|it| it.change_id).collect();
    assert_eq!(waiting, ids);
    let approve = ApproveChangeRequest {
        change_id: ids[0].clone(),
        ..ApproveChangeRequest::default()
    };
    let alone = ada.approve_change(approve.clone()).await;
    let alone = alone.unwrap_err();
    assert!(alone.message().contains("two principals"), "{alone}");
    bob.approve_change(approve).await.unwrap();
    let withdraw = WithdrawChangeRequest {
        change_id: ids[1].clone(),
        ..WithdrawChangeRequest::default()
    };
    bob.withdraw_change(withdraw).await.unwrap();
    let left = ada.list_pending_changes(ListPendingChangesRequest {});
    assert!(left.await.unwrap().into_inner().changes.is_empty());
    let all = ada.list_purposes(ListPurposesRequest {}).await.unwrap();
    let all = all.into_inner().purposes;
    assert!(all.iter().all(|it| it.schema_floor == 0), "{all:?}");
    let kept = all.iter().find(|it| it.name == "profiling").unwrap();
    assert_eq!(
        kept.default_deny,
        Some(true),
        "a change that was withdrawn was made"
    );

    opt_outs_are_lifted(site).await;
}

async fn opt_outs_are_lifted(site: &Site) {
    let trio = &site.trio;
    let mut ada = OverrideServiceClient::new(trio.line(site.near, ADA));
    let mut bob = OverrideServiceClient::new(trio.line(site.far, BOB));
    trio.opt_out(site.near, "ruth@example.com", "sale").await;
    let propose = ProposeOverrideRequest {
        scope: Some(OverrideScope {
            purposes: vec!["sale".to_owned()],
            services: vec!["recall".to_owned()],
            ..OverrideScope::default()
        }),
        reason: "a recall of a dangerous toy".to_owned(),
        expires_at: Some((SystemTime::now() + Duration::from_secs(600)).into()),
        ..ProposeOverrideRequest::default()
    };
    let proposed = ada.propose_override(propose).await.unwrap();
    let override_id = proposed.into_inner().override_id;
    let asked = question_of("recall", "ruth@example.com", "sale");
    let all = [site.near, site.far, site.leader];
    trio.all_say(&all, &asked, Reason::OptedOut).await;
    let approve = ApproveOverrideRequest {
        override_id: override_id.clone(),
        ..ApproveOverrideRequest::default()
    };
    bob.approve_override(approve).await.unwrap();
    trio.all_say(&all, &asked, Reason::Overridden).await;
    let revoke = RevokeOverrideRequest {
        override_id,
        ..RevokeOverrideRequest::default()
    };
    ada.revoke_override(revoke).await.unwrap();
    trio.all_say(&all, &asked, Reason::OptedOut).await;
    let listed = bob.list_overrides(ListOverridesRequest {}).await.unwrap();
    let listed = listed.into_inner().overrides;
    assert_eq!(listed[0].state(), OverrideState::Revoked);
}
