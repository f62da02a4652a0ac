//! The header `Link` (RFC 8288), and where an address in an answer may lead.

use reqwest::Url;

use super::error::RestError;
use super::pager::Told;
use crate::config::OtherOrigin;

/// The address with the relation `next` among the links of an answer.
pub(super) fn next(headers: &[String]) -> Told<String> {
    if headers.iter().all(|header| header.trim().is_empty()) {
        return Told::Absent;
    }
    let links = headers.iter().flat_map(|header| links(header));
    let mut next = links.filter(|(_, parameters)| is_next(parameters));
    next.next()
        .map_or(Told::Empty, |(address, _)| Told::Is(address.to_owned()))
}

/// Each address of a header, with its parameters.
fn links(header: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((address, after)) = after.split_once('>') else {
            break;
        };
        let mut quoted = false;
        let end = after.find(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, after) = after.split_at(end.unwrap_or(after.len()));
        found.push((address.trim(), parameters));
        rest = after;
    }
    found
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else {
            return false;
        };
        let mut words = value.trim().trim_matches('"').split_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && words.any(|word| word.eq_ignore_ascii_case("next"))
    })
}

/// An address of an answer, as it is asked for: at the configured origin, or not at all.
pub(super) fn follow(
    address: &str,
    here: &Url,
    base: &Url,
    other: OtherOrigin,
    what: &str,
) -> Result<Url, RestError> {
    let no_address = || RestError::NoAddress {
        what: what.to_owned(),
    };
    let url = here.join(address).map_err(|_| no_address())?;
    if url.cannot_be_a_base() || !matches!(url.scheme(), "http" | "https") {
        return Err(no_address());
    }
    if url.origin() != base.origin() && other == OtherOrigin::Refuse {
        return Err(RestError::OtherOrigin {
            what: what.to_owned(),
            to: url.origin().ascii_serialization(),
        });
    }
    let mut at = base.clone();
    at.set_path(url.path());
    at.set_query(url.query());
    at.set_fragment(None);
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        let of = |header: &str| next(&[header.to_owned()]);
        let is = |address: &str| Told::Is(address.to_owned());
        assert_eq!(
            of("<https://a/x?page=2>; rel=\"next\", <https://a/x?page=9>; rel=\"last\""),
            is("https://a/x?page=2")
        );
        assert_eq!(of("</x?a=1,2>; title=\"a, b\"; REL=Next"), is("/x?a=1,2"));
        assert_eq!(of("<a>;rel=\"prev next\""), is("a"));
        assert_eq!(of("<a>; rel=\"last\""), Told::Empty);
        assert_eq!(of("nonsense"), Told::Empty);
        assert_eq!(of(" "), Told::Absent);
        assert_eq!(next(&[]), Told::Absent);
    }

    #[test]
    fn an_address_leads_nowhere_else_than_to_the_configured_origin() {
        let base = Url::parse("https://api.example.com/v1").unwrap();
        let here = Url::parse("https://api.example.com/v1/people?page=1").unwrap();
        let go = |address: &str, other| {
            follow(address, &here, &base, other, "GET /people").map(|url| url.to_string())
        };
        for (address, to) in [
            (
                "https://api.example.com/v1/people?page=2",
                "https://api.example.com/v1/people?page=2",
            ),
            ("?page=2", "https://api.example.com/v1/people?page=2"),
            (
                "/v1/people?page=2#x",
                "https://api.example.com/v1/people?page=2",
            ),
            (
                "https://user:pass@api.example.com/a",
                "https://api.example.com/a",
            ),
        ] {
            assert_eq!(go(address, OtherOrigin::Refuse).unwrap(), to);
        }
        for address in [
            "https://other.example.com/v1/people",
            "http://api.example.com/v1/people",
            "https://api.example.com:8443/v1/people",
            "//other.example.com/",
        ] {
            let error = go(address, OtherOrigin::Refuse).unwrap_err();
            assert!(matches!(error, RestError::OtherOrigin { .. }), "{address}");
            assert!(
                go(address, OtherOrigin::Rebase)
                    .unwrap()
                    .starts_with("https://api.example.com/")
            );
        }
        for address in ["ftp://api.example.com/", "mailto:a@b", "https://"] {
            assert!(go(address, OtherOrigin::Rebase).is_err(), "{address}");
        }
    }
}
