//! How these values are written in a file.

use seawall_core::ConfigError;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AddressHeader, ClientAddressConfig, Network, PrefixLengths};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientAddress {
    #[serde(default)]
    trusted_proxies: Vec<String>,
    #[serde(default)]
    header: AddressHeader,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hops: Option<u32>,
}

impl TryFrom<ClientAddress> for ClientAddressConfig {
    type Error = ConfigError;

    fn try_from(file: ClientAddress) -> Result<Self, ConfigError> {
        let network = |text: &String| {
            let wrong = || ConfigError::new("trusted_proxies", format_args!("{text:?}"), Network::VALID);
            Network::read(text).ok_or_else(wrong)
        };
        let trusted_proxies = file.trusted_proxies.iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { trusted_proxies, header: file.header, hops: file.hops })
    }
}

impl From<ClientAddressConfig> for ClientAddress {
    fn from(config: ClientAddressConfig) -> Self {
        Self {
            trusted_proxies: config.trusted_proxies.iter().map(ToString::to_string).collect(),
            header: config.header,
            hops: config.hops,
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lengths {
    ipv4_prefix: Option<u8>,
    ipv6_prefix: Option<u8>,
}

impl TryFrom<Lengths> for PrefixLengths {
    type Error = ConfigError;

    fn try_from(file: Lengths) -> Result<Self, ConfigError> {
        let default = Self::default();
        Self::new(file.ipv4_prefix.unwrap_or(default.ipv4()), file.ipv6_prefix.unwrap_or(default.ipv6()))
    }
}

impl From<PrefixLengths> for Lengths {
    fn from(lengths: PrefixLengths) -> Self {
        Self { ipv4_prefix: Some(lengths.ipv4()), ipv6_prefix: Some(lengths.ipv6()) }
    }
}

/// Values that are a text in a file, as they are anywhere else.
macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(AddressHeader, Network);

#[cfg(test)]
mod tests {
    use super::super::{ClientAddress, HeaderVersion, RateLimitHeaders};
    use super::*;
    use serde::de::DeserializeOwned;

    fn error<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        toml::from_str::<T>(text).expect_err(text).message().to_owned()
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let text = "trusted_proxies = [\"10.0.0.0/8\", \"::ffff:192.0.2.1\"]\nheader = \"Forwarded\"\nhops = 2\n";
        let read: ClientAddress = toml::from_str(text).expect("valid");
        let written = toml::to_string(&read).expect("TOML");
        assert_eq!(written, "trusted_proxies = [\"10.0.0.0/8\", \"192.0.2.1/32\"]\nheader = \"forwarded\"\nhops = 2\n");
        assert_eq!(toml::from_str::<ClientAddress>(&written).expect("valid"), read);
        assert_eq!(toml::from_str::<ClientAddress>("").expect("valid"), ClientAddress::default());

        let lengths: PrefixLengths = toml::from_str("ipv6_prefix = 56").expect("valid");
        assert_eq!((lengths.ipv4(), lengths.ipv6()), (32, 56));
        assert_eq!(toml::from_str::<PrefixLengths>(&toml::to_string(&lengths).expect("TOML")).expect("valid"), lengths);

        let headers: RateLimitHeaders = toml::from_str("version = \"draft-03\"\nlegacy = true").expect("valid");
        assert_eq!(headers, RateLimitHeaders::new(HeaderVersion::Draft03).with_legacy());
        assert_eq!(toml::from_str::<RateLimitHeaders>("").expect("valid"), RateLimitHeaders::default());
        let newest: RateLimitHeaders = toml::from_str("version = \"draft-11\"").expect("valid");
        assert_eq!(newest.version(), HeaderVersion::Draft10);
    }

    #[test]
    fn an_error_names_the_field_the_value_and_what_would_be_valid() {
        let valid = Network::VALID;
        for (text, says) in [
            ("trusted_proxies = [\"10.0.0.0/33\"]", format!("`trusted_proxies` is \"10.0.0.0/33\", must be {valid}")),
            ("trusted_proxies = [\"10.0.0.1/8\"]", format!("`trusted_proxies` is \"10.0.0.1/8\", must be {valid}")),
            ("header = \"x forwarded\"", format!("`header` is \"x forwarded\", must be {}", AddressHeader::VALID)),
            ("header = \"\"", format!("`header` is \"\", must be {}", AddressHeader::VALID)),
            ("hops = 1", "`hops` is 1, must be given together with trusted_proxies".into()),
            ("trust = []", "unknown field `trust`, expected one of `trusted_proxies`, `header`, `hops`".into()),
        ] {
            assert_eq!(error::<ClientAddress>(text), says);
        }
        assert_eq!(error::<PrefixLengths>("ipv6_prefix = 129"), "`ipv6_prefix` is 129, must be 1 to 128");
        assert!(error::<RateLimitHeaders>("version = \"draft-12\"").contains("expected one of `draft-10`"));
        assert!(error::<RateLimitHeaders>("x = 1").contains("unknown field `x`"));
    }
}
