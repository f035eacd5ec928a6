//! `refrain override list`: what is lifted, by whom, until when, and what each override let through.

use refrain::{
    client::Client,
    proto::v1::{Identifier, Override, OverrideState, identifier::Form},
};
use serde_json::{Value, json};

use super::{
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, foreign, grouped, moment, word},
    schema,
};

/// Prints them.
pub async fn run(client: &Client, output: &Output) -> Result<u8, Failure> {
    let all = client.overrides().await?;
    let json = json!({
        "overrides": all.overrides.iter().map(as_json).collect::<Vec<Value>>(),
        "revision": all.revision,
        "evaluated_at": moment(all.evaluated_at.as_ref()),
    });
    let text = || {
        if all.overrides.is_empty() {
            return "No override lifts anything, and none is proposed.".to_owned();
        }
        let each = all.overrides.iter().map(|it| as_text(it, output.paint));
        each.collect::<Vec<String>>().join("\n\n")
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

fn as_text(it: &Override, paint: Paint) -> String {
    let (tone, end) = match it.state() {
        // What is lifted now is what to look at.
        OverrideState::Active => (Tone::Bad, "until"),
        OverrideState::Proposed => (Tone::Bold, "would end"),
        _ => (Tone::Dim, "was to end"),
    };
    let state = word(it.state().as_str_name(), "OVERRIDE_STATE_");
    let scope = it.scope.clone().unwrap_or_default();
    let whose = match &scope.subject {
        None => "everybody's opt-outs".to_owned(),
        Some(subject) => format!("the opt-out of {} {}", subject.r#type, token(subject)),
    };
    let approved = if it.approved_by.is_empty() {
        "by nobody yet"
    } else {
        &it.approved_by
    };
    [
        format!(
            "{}  {}  {end} {}",
            paint.text(tone, state),
            paint.text(Tone::Bold, &it.override_id),
            moment(it.expires_at.as_ref())
        ),
        paint.fact(
            "lifts",
            format_args!("{whose} of {}", scope.purposes.join(", ")),
        ),
        paint.fact("namespace", &scope.namespace),
        paint.fact("services", scope.services.join(", ")),
        paint.fact("reason", foreign(&it.reason)),
        paint.fact(
            "proposed",
            format_args!("{}, {}", it.proposed_by, moment(it.proposed_at.as_ref())),
        ),
        paint.fact("approved", approved),
        paint.fact("through", let_through(it)),
    ]
    .join("\n")
}

fn let_through(it: &Override) -> String {
    let total: u64 = it.lifted.iter().map(|by| by.count).sum();
    if total == 0 {
        return "nothing so far".to_owned();
    }
    let by = it.lifted.iter().map(|by| {
        let service = schema::name(&by.service);
        format!("{service} {}", grouped(by.count))
    });
    let by: Vec<String> = by.collect();
    let decisions = if total == 1 { "decision" } else { "decisions" };
    format!("{} {decisions}: {}", grouped(total), by.join(", "))
}

fn token(subject: &Identifier) -> &str {
    match &subject.form {
        Some(Form::Token(token)) => token,
        _ => "",
    }
}

fn as_json(it: &Override) -> Value {
    let scope = it.scope.clone().unwrap_or_default();
    let subject = scope
        .subject
        .as_ref()
        .map(|it| json!({ "type": it.r#type, "token": token(it) }));
    json!({
        "override_id": it.override_id,
        "state": word(it.state().as_str_name(), "OVERRIDE_STATE_"),
        "namespace": scope.namespace,
        "purposes": scope.purposes,
        "services": scope.services,
        "subject": subject,
        "reason": it.reason,
        "expires_at": moment(it.expires_at.as_ref()),
        "proposed_by": it.proposed_by,
        "proposed_at": moment(it.proposed_at.as_ref()),
        "approved_by": it.approved_by,
        "lifted": it.lifted.iter().map(|by| json!({
            "service": by.service,
            "count": by.count,
        })).collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use refrain::proto::v1::ServiceCount;

    use super::*;

    #[test]
    fn one_decision_is_no_two() {
        let of = |counts: &[u64]| {
            let lifted = counts.iter().map(|&count| ServiceCount {
                service: "shop".to_owned(),
                count,
            });
            let lifted = lifted.collect();
            let_through(&Override {
                lifted,
                ..Override::default()
            })
        };
        assert_eq!(of(&[]), "nothing so far");
        assert_eq!(of(&[1]), "1 decision: shop 1");
        assert_eq!(of(&[1, 1]), "2 decisions: shop 1, shop 1");
    }
}
