//! The token that every call carries, and that nothing prints.

use std::fmt;

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

use super::error::Error;

/// Puts the token into each call, and the trace that it belongs to where that is wanted. `Debug` does not show it.
#[derive(Clone, Default)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// Carries this token.
    ///
    /// # Errors
    /// A token that cannot be one: empty, or with anything but visible ASCII in it.
    pub(super) fn new(token: &str) -> Result<Self, Error> {
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let value = MetadataValue::try_from(format!("Bearer {token}"));
        let (true, Ok(mut value)) = (fits, value) else {
            return Err(Error::setting(
                "the token cannot be used: it must be visible ASCII characters without spaces, as `refrain principal new` \
                 makes it",
            ));
        };
        // Neither printed nor kept in the tables by which HTTP/2 shortens headers.
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        #[cfg(feature = "opentelemetry")]
        super::context::pass_on(request.metadata_mut().as_mut());
        Ok(request)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_repeated() {
        for bad in ["", "se cret", "secret\n", "secr\u{e4}t", "secret\0"] {
            let error = Bearer::new(bad).unwrap_err();
            assert!(!error.to_string().contains("secr"), "{error}");
        }
        Bearer::new("secret").unwrap();
    }

    #[test]
    fn nothing_shows_a_token() {
        let mut bearer = Bearer::new("secret").unwrap();
        assert!(!format!("{bearer:?}").contains("secret"));
        let request = bearer.call(Request::new(())).unwrap();
        let value = request.metadata().get("authorization").unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer secret");
        assert!(!format!("{request:?}").contains("secret"));
    }
}
