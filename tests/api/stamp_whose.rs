//! Whom a stamp is about: nobody's stands for somebody else.

use refrain::proto::v1::{Decision, Identifier, VerifyStampRequest, identifier};
use tonic::Code;

use super::{
    stamp::{ADA, NEWS, stamped, stamps},
    support::{Node, assert_refused, email},
};

#[tokio::test]
async fn anothers_stamp_does_not_verify_for_who_is_named() {
    let node = Node::start().await;
    let graces = stamped(&node, "grace@example.com", NEWS).await.stamp;
    let for_whom = |identifiers: Vec<Identifier>| VerifyStampRequest {
        stamp: graces.clone(),
        purpose: NEWS.to_owned(),
        identifiers,
        ..VerifyStampRequest::default()
    };
    let ask = async |identifiers| {
        let answer = stamps(&node.channel).verify(for_whom(identifiers)).await;
        answer.map(tonic::Response::into_inner)
    };
    let grace = email("grace@example.com");
    let answer = ask(vec![grace.clone()]).await.expect("her own");
    assert_eq!(answer.decision(), Decision::Allow);
    // By her token too, as a message carries it.
    let [token] = answer.tokens.as_slice() else {
        panic!("{answer:?}");
    };
    let form = Some(identifier::Form::Token(token.clone()));
    let r#type = "email".to_owned();
    let by_token = Identifier { r#type, form };
    assert!(ask(vec![by_token]).await.is_ok());
    for others in [vec![email(ADA)], vec![grace, email(ADA)]] {
        let answer = ask(others).await;
        assert_refused(answer, Code::InvalidArgument, "STAMP_SUBJECT_DIFFERS");
    }
    let many = (0..17).map(|number| email(&format!("{number}@example.com")));
    let answer = ask(many.collect()).await;
    assert_refused(answer, Code::InvalidArgument, "TOO_MANY_IDENTIFIERS");
}
