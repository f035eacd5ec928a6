//! What a client shows of itself with every call: its bearer token, which nothing prints.

use std::fmt;

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport,
};

use super::error::Error;

/// The channel of an endpoint, which adds the credentials to every call that goes through it.
pub(super) type Channel = InterceptedService<transport::Channel, Credentials>;

/// Nothing, or a bearer token.
#[derive(Clone, Default)]
pub(super) struct Credentials(Option<MetadataValue<Ascii>>);

impl Credentials {
    /// A bearer token (RFC 6750).
    pub(super) fn bearer(token: &str) -> Result<Self, Error> {
        // What is wrong with it is not told in its own words.
        let wrong = || {
            Error::setting("the bearer token cannot be used: it must be visible ASCII characters")
        };
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", value.clone());
        }
        Ok(request)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Credentials(secret)",
            None => "Credentials(none)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_token() {
        let credentials = Credentials::bearer("s3cret").unwrap();
        let request = Credentials::call(&mut credentials.clone(), Request::new(())).unwrap();
        let value = request.metadata().get("authorization").unwrap();
        assert_eq!(value, "Bearer s3cret");
        for text in [format!("{credentials:?}"), format!("{request:?}")] {
            assert!(!text.contains("s3cret"), "{text}");
        }
        for bad in ["", " ", "s3cret\n", "s3 cret", "s3crét"] {
            let error = Credentials::bearer(bad).unwrap_err();
            assert!(!error.to_string().contains("s3"), "{error}");
        }
    }
}
