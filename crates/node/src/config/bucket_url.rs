//! `s3://bucket/prefix`, as people write it.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A bucket, and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BucketUrl {
    /// The bucket's name.
    pub bucket: String,
    /// Parts with `/` between; empty for all of the bucket.
    pub prefix: String,
}

/// Why a text names no bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketUrlError {
    /// Another scheme, or none.
    #[error("{text:?} is no object store; write s3://BUCKET/PREFIX")]
    Scheme { text: String },
    /// A name that some store would read in another way.
    #[error("{name:?} in {text:?} is made of something else than letters, digits, '-', '_' and '.'")]
    Name { text: String, name: String },
}

impl FromStr for BucketUrl {
    type Err = BucketUrlError;

    fn from_str(text: &str) -> Result<Self, BucketUrlError> {
        let path = text.strip_prefix("s3://").ok_or_else(|| BucketUrlError::Scheme { text: text.into() })?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_plain = |name: &&str| {
            let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            letters && !name.trim_matches('.').is_empty()
        };
        if let Some(name) = path.split('/').find(|name| !is_plain(name)) {
            return Err(BucketUrlError::Name { text: text.into(), name: name.into() });
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        Ok(Self { bucket: bucket.into(), prefix: prefix.into() })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

impl From<BucketUrl> for String {
    fn from(url: BucketUrl) -> Self {
        url.to_string()
    }
}

impl TryFrom<String> for BucketUrl {
    type Error = BucketUrlError;

    fn try_from(text: String) -> Result<Self, BucketUrlError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_as_they_are_shown() {
        for (text, bucket, prefix) in
            [("s3://films", "films", ""), ("s3://films/", "films", ""), ("s3://my.films/a/b_7/", "my.films", "a/b_7")]
        {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.bucket.as_str(), url.prefix.as_str()), (bucket, prefix));
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
        for text in ["", "films", "https://films", "S3://films"] {
            assert!(matches!(text.parse::<BucketUrl>(), Err(BucketUrlError::Scheme { .. })), "{text}");
        }
        for text in ["s3://", "s3:///a", "s3://films/a//b", "s3://films/../b", "s3://films/a b", "s3://u:p@films"] {
            assert!(matches!(text.parse::<BucketUrl>(), Err(BucketUrlError::Name { .. })), "{text}");
        }
    }
}
