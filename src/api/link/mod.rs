//! Links for one-click unsubscribe (RFC 8058): made for a subject, and obeyed for whoever holds one.

#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod page;
mod token;
mod visit;

pub use self::token::LinkKey;
pub(super) use self::visit::routes;

use self::token::Link;
use super::{Api, Call, convert, input::Input, status::Failure};
use crate::{
    admission::admit,
    authority::Offer,
    domain::Refusal,
    limits,
    proto::v1::{CreateLinkRequest, CreateLinkResponse},
};

/// Below the node's address, links begin so.
const PATH: &str = "/u/";

impl Api {
    /// Makes a link.
    pub(super) async fn create_link(
        &self,
        call: Call,
        request: CreateLinkRequest,
    ) -> Result<CreateLinkResponse, Failure> {
        if request.identifiers.len() > limits::LINK_IDENTIFIERS
            || request.purposes.len() > limits::LINK_PURPOSES
        {
            return Err(Input::LinkTooLarge.into());
        }
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let link = Link {
            namespace: subject.namespace,
            tokens: subject.tokens,
            purposes: convert::purposes(&request.purposes)?,
        };
        let path = self.parts().link_key.write(&link);
        let path = path.ok_or(Input::LinkTooLarge)?;
        // Whoever follows it years from now cannot mend it: it must be good today.
        let offer = Offer {
            namespace: link.namespace,
            purposes: link.purposes,
        };
        let admitted = admit(&call.caller, offer)?;
        let offered = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        if let Some(essential) = offered.essential.first() {
            let purpose = essential.to_string();
            return Err(Refusal::PurposeEssential { purpose }.into());
        }
        Ok(CreateLinkResponse {
            path: format!("{PATH}{path}"),
        })
    }
}
