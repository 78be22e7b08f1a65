//! What stands in the path of a request and behind its question mark, with nothing in it that nobody knows.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::ipmi::McAddress;

/// A query that was read.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::malformed(format!("the query: {}", rejection.body_text()))),
        }
    }
}

/// There is nothing behind the question mark, for nothing is known there.
pub(super) struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.uri.query().unwrap_or_default() {
            "" => Ok(Self),
            _ => Err(Problem::malformed(format!("the query: {} takes no parameters there", parts.uri.path()))),
        }
    }
}

/// A path that was read.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(Problem::missing(format!("the path: {}", rejection.body_text()))),
        }
    }
}

/// Which controller; the BMC if nothing is said.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mc {
    #[serde(default, deserialize_with = "number::optional")]
    mc: Option<u8>,
}

impl Mc {
    /// Its address, of a system whose BMC has `bmc`.
    pub(super) fn or(self, bmc: McAddress) -> McAddress {
        self.mc.map_or(bmc, McAddress)
    }
}

/// Numbers in paths and queries, without a sign.
pub(super) mod number {
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, de};

    /// Reads a number of one byte: decimal, or one or two hexadecimal digits behind 0x.
    pub(in crate::control) fn read(text: &str) -> Option<u8> {
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) if digits.len() > 2 || digits.starts_with('+') => None,
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => decimal(text),
        }
    }

    /// Reads a decimal number.
    pub(in crate::control) fn decimal<T: FromStr>(text: &str) -> Option<T> {
        text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    }

    pub(in crate::control) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        let text = String::deserialize(deserializer)?;
        read(&text).ok_or_else(|| de::Error::custom(format!("expected 0 to 255 or 0x0 to 0xff, found '{text}'")))
    }

    pub(in crate::control) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
        required(deserializer).map(Some)
    }

    /// A decimal number of a query.
    pub(in crate::control) fn plain<'de, D: Deserializer<'de>, T: FromStr>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = decimal(&text).ok_or_else(|| de::Error::custom(format!("expected a number, found '{text}'")));
        number.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::number::{decimal, read};

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        for (text, expected) in [
            ("32", Some(32)),
            ("0x20", Some(32)),
            ("0XfF", Some(255)),
            ("256", None),
            ("0x", None),
            ("", None),
            ("0x020", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(["+1", "0x+1", "-1", " 1"].map(read), [None; 4]);
        assert_eq!(["17", "65536", "+1", "", "0x1"].map(decimal::<u16>), [Some(17), None, None, None, None]);
    }
}
