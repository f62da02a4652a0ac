//! Who asks: the ways of HR systems to tell a program from a stranger.

use std::collections::BTreeMap;

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;

use super::path::JsonPath;
use super::template::{Template, is_open, is_secret_name, names_in, open_secrets, told_open};
use crate::config::problem::Problems;
use crate::config::validate::Findings;
use crate::config::values::{BaseUrl, ByName};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestAuth {
    /// Anybody may.
    None,
    /// HTTP Basic (RFC 7617).
    Basic(Basic),
    /// Headers, such as that of an API key.
    Header(BTreeMap<String, Template>),
    /// `Authorization: Bearer` with a token that does not change (RFC 6750).
    Bearer(Template),
    /// A token that is asked for first, and again once where it was refused.
    Token(Box<TokenFrom>),
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: Template,
    /// The password; may be empty or a word that the system ignores.
    pub password: Template,
}

/// A token that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
pub struct TokenFrom {
    /// Its path below `base_url`, or an address of another host, which then gets the secrets of this request.
    pub post: Target,
    /// What is sent, as JSON.
    #[deserr(default)]
    pub json: Option<serde_json::Value>,
    /// What is sent, as a form.
    #[deserr(default, from(Option<ByName<Template>>) = ByName::into_option)]
    pub form: Option<BTreeMap<String, Template>>,
    /// Who asks for the token, where the system wants that in HTTP Basic.
    #[deserr(default)]
    pub basic: Option<Basic>,
    /// Further headers.
    #[deserr(default, from(ByName<Template>) = ByName::into_map)]
    pub headers: BTreeMap<String, Template>,
    /// Where the token stands in the answer.
    pub take: JsonPath,
    /// Where its life time stands, seconds.
    #[deserr(default)]
    pub expires_in: Option<JsonPath>,
    /// The header in which the token is sent.
    #[deserr(default = "authorization".to_owned())]
    pub header: String,
    /// The word before it, which is left out where the token begins with it already; none where empty.
    #[deserr(default = "Bearer".to_owned())]
    pub scheme: String,
}

/// A path below `base_url`, or a whole address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// A path.
    Path(String),
    /// An address.
    Address(BaseUrl),
}

impl Deserr<Problems> for Target {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        match value {
            Value::String(text) if is_path(&text) => Ok(Self::Path(text)),
            Value::String(text) if text.contains("://") => Ok(Self::Address(
                BaseUrl::deserialize_from_value::<V>(Value::String(text), at)?,
            )),
            _ => Err(Problems::one(
                at,
                "Write a path below base_url, such as /v1/auth, or a whole address",
            )),
        }
    }
}

/// Whether a text is a path and nothing else.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains(['?', '#', '\\'])
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && !text.split('/').any(|part| part == "." || part == "..")
}

/// OAuth 2 client credentials (RFC 6749, 4.4).
#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct ClientCredentials {
    post: Target,
    client_id: Template,
    client_secret: Template,
    #[deserr(default)]
    scope: Option<Template>,
    #[deserr(default, from(ByName<Template>) = ByName::into_map)]
    form: BTreeMap<String, Template>,
    #[deserr(default = SentIn::Form, rename = "in")]
    sent_in: SentIn,
}

/// Where the credentials of a client go (RFC 6749, 2.3.1).
#[derive(Deserr, PartialEq)]
#[deserr(error = Problems, rename_all = lowercase)]
enum SentIn {
    Form,
    Basic,
}

impl ClientCredentials {
    fn into_token(self) -> Result<TokenFrom, &'static str> {
        let path = |text: &str| text.parse::<JsonPath>().map_err(|_| "a path of ours");
        let mut form = self.form;
        let grant = Template("client_credentials".to_owned());
        form.insert("grant_type".to_owned(), grant);
        form.extend(self.scope.map(|scope| ("scope".to_owned(), scope)));
        let basic = if self.sent_in == SentIn::Basic {
            Some(Basic {
                user: self.client_id,
                password: self.client_secret,
            })
        } else {
            form.insert("client_id".to_owned(), self.client_id);
            form.insert("client_secret".to_owned(), self.client_secret);
            None
        };
        Ok(TokenFrom {
            post: self.post,
            json: None,
            form: Some(form),
            basic,
            headers: BTreeMap::new(),
            take: path("access_token")?,
            expires_in: Some(path("expires_in")?),
            header: "authorization".to_owned(),
            scheme: "Bearer".to_owned(),
        })
    }
}

#[derive(Deserr)]
#[deserr(error = Problems, deny_unknown_fields)]
struct AuthKeys {
    #[deserr(default)]
    basic: Option<Basic>,
    #[deserr(default, from(Option<ByName<Template>>) = ByName::into_option)]
    header: Option<BTreeMap<String, Template>>,
    #[deserr(default)]
    bearer: Option<Template>,
    #[deserr(default)]
    token_from: Option<TokenFrom>,
    #[deserr(default)]
    client_credentials: Option<ClientCredentials>,
}

impl Deserr<Problems> for RestAuth {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef<'_>,
    ) -> Result<Self, Problems> {
        const HOW: &str = "Write none, or a block of one key: basic, header, bearer, token_from or client_credentials, such as {bearer: \"{token}\"}";
        match value {
            Value::String(word) if word == "none" => return Ok(Self::None),
            Value::Map(_) => {}
            _ => return Err(Problems::one(at, HOW)),
        }
        let keys = AuthKeys::deserialize_from_value(value, at)?;
        let client = keys
            .client_credentials
            .map(ClientCredentials::into_token)
            .transpose()
            .map_err(|message| Problems::one(at, message))?;
        let token = |token| Self::Token(Box::new(token));
        let all = [
            keys.basic.map(Self::Basic),
            keys.header.map(Self::Header),
            keys.bearer.map(Self::Bearer),
            keys.token_from.map(token),
            client.map(token),
        ];
        let mut given = all.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(auth), None) => Ok(auth),
            _ => Err(Problems::one(at, HOW)),
        }
    }
}

impl RestAuth {
    /// The names of the secrets in it.
    pub(super) fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |template: &Template| {
            found.extend(template.names().into_iter().map(str::to_owned));
        };
        match self {
            Self::None => {}
            Self::Basic(Basic { user, password }) => [user, password].into_iter().for_each(add),
            Self::Header(headers) => headers.values().for_each(add),
            Self::Bearer(token) => add(token),
            Self::Token(token) => {
                let basic = token.basic.iter();
                basic
                    .flat_map(|basic| [&basic.user, &basic.password])
                    .chain(token.form.iter().flat_map(BTreeMap::values))
                    .chain(token.headers.values())
                    .for_each(add);
                if let Some(body) = &token.json {
                    names_in(body, &mut found);
                }
            }
        }
        found
    }

    /// Where a secret stands in the clear, although another one does not.
    fn open(&self) -> Vec<String> {
        let clear = |map: &BTreeMap<String, Template>| -> Vec<String> {
            let open = map.iter();
            let open = open.filter(|(name, value)| is_secret_name(name) && is_open(&value.0));
            open.map(|(name, _)| name.clone()).collect()
        };
        // Where the user is the secret, some want any letter for a password.
        let password = |basic: &Basic| {
            let any = basic.password.0.chars().count() <= 1 && !is_open(&basic.user.0);
            (is_open(&basic.password.0) && !any).then(|| "password".to_owned())
        };
        if self.names().is_empty() {
            // That is said of all of it.
            return Vec::new();
        }
        match self {
            Self::None | Self::Bearer(_) => Vec::new(),
            Self::Basic(basic) => password(basic).into_iter().collect(),
            Self::Header(headers) => clear(headers),
            Self::Token(token) => {
                let mut open = clear(&token.headers);
                open.extend(token.form.iter().flat_map(clear));
                open.extend(token.json.iter().flat_map(open_secrets));
                open.extend(token.basic.iter().filter_map(password));
                open
            }
        }
    }

    /// What the types cannot say.
    pub(super) fn check(&self, findings: &mut Findings) {
        let none = BTreeMap::new();
        let (headers, more) = match self {
            Self::Header(headers) => (headers, None),
            Self::Token(token) => {
                if token.json.is_some() == token.form.is_some() {
                    findings.say("auth", "Write under token_from either json or form");
                }
                (&token.headers, Some(token.header.as_str()))
            }
            _ => (&none, None),
        };
        if matches!(self, Self::Header(headers) if headers.is_empty()) {
            findings.say(
                "auth",
                "Write the header, such as {header: {X-API-Key: \"{api_key}\"}}",
            );
        }
        if !headers
            .keys()
            .map(String::as_str)
            .chain(more)
            .all(is_header)
        {
            findings.say("auth", NO_HEADER);
        }
        let (is_secret, what) = match self {
            Self::None => (true, ""),
            Self::Bearer(_) => (!self.names().is_empty(), "The token"),
            Self::Header(_) => (!self.names().is_empty(), "The key"),
            Self::Basic(_) => (!self.names().is_empty(), "The password or the user"),
            Self::Token(_) => (!self.names().is_empty(), "What a token is asked for with"),
        };
        for name in self.open() {
            findings.say("auth", told_open(&name));
        }
        if !is_secret {
            findings.say("auth", format!("{what} never stands in this file; write {{name}} there, and under secrets where that is"));
        }
    }
}

/// What is said of a name that no header can have.
pub(super) const NO_HEADER: &str = "This is not the name of a header; write letters, digits and -";

/// Whether a header may have this name.
pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
