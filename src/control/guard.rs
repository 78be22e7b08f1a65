//! Who may come in.
//!
//! By the unix socket whoever may open it. By TCP whoever has the token, or everybody on this machine where there is none. A page
//! of somebody else's in a browser may not: its `Origin` is not ours, and where no token is asked for the `Host` has to be
//! this machine's loopback address, so that no foreign name leads here.

pub(super) mod token;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Control;
use super::problem::Problem;
use token::Token;

/// How many wrong tokens an address may show in [`PERIOD`].
const WRONG_TOKENS: u32 = 10;
/// After which time wrong tokens are forgotten.
const PERIOD: Duration = Duration::from_secs(10);
/// How many addresses are remembered for them.
const REMEMBERED: usize = 4096;

/// The way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the unix socket.
    Unix,
    /// By TCP, from this address.
    Tcp(SocketAddr),
}

/// The guard.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<Token>,
    /// Wrong tokens by address, and when the first of them came.
    wrong: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Guard {
    /// With a token, if one is asked for.
    pub(super) fn new(token: Option<Token>) -> Self {
        Self { token, wrong: Mutex::default() }
    }

    /// Whether a token is asked for.
    pub(super) fn asks_for_a_token(&self) -> bool {
        self.token.is_some()
    }

    /// Says whether a browser's page may ask this.
    fn check_origin(&self, way: Way, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, detail));
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if let Some(origin) = headers.get(header::ORIGIN) {
            let own =
                origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, own)| own == host);
            if !own {
                return refused("The Origin of this request is another site's page, which may not ask anything here");
            }
        }
        if let (Way::Tcp(_), None) = (way, &self.token)
            && !is_loopback(host)
        {
            return refused("Where no token is asked for, the Host has to be localhost or a loopback address");
        }
        Ok(())
    }

    /// Says whether the token is right, if one is asked for.
    fn check_token(&self, way: Way, headers: &HeaderMap, now: Instant) -> Result<(), Problem> {
        let (Way::Tcp(peer), Some(token)) = (way, &self.token) else { return Ok(()) };
        let from = peer.ip();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, since)) = wrong.get(&from)
            && now.duration_since(*since) > PERIOD
        {
            wrong.remove(&from);
        }
        if wrong.get(&from).is_some_and(|(count, _)| *count >= WRONG_TOKENS) {
            let detail = format!("Too many wrong tokens from {from}; try again in {} s", PERIOD.as_secs());
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        match shown {
            Some(shown) if token.is(shown) => Ok(()),
            Some(_) => {
                if wrong.len() >= REMEMBERED {
                    wrong.retain(|_, (_, since)| now.duration_since(*since) <= PERIOD);
                }
                if wrong.len() < REMEMBERED || wrong.contains_key(&from) {
                    wrong.entry(from).or_insert((0, now)).0 += 1;
                }
                Err(Problem::new(StatusCode::UNAUTHORIZED, "The token is wrong"))
            }
            None => {
                let detail = "A token is needed: Authorization: Bearer TOKEN, with that of --http-token-file";
                Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
            }
        }
    }
}

/// The token of an `Authorization` header (RFC 6750 section 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Whether a `Host` is this machine for sure.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Lets a request through that needs a token, or says why not.
pub(super) async fn with_token(State(control): State<Control>, request: Request, next: Next) -> Response {
    let checked = control.guard.check_token(way(&request), request.headers(), Instant::now());
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer realm=\"ipmi_sim\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    }
}

/// Lets a request through that no foreign page has made.
pub(super) async fn without_foreign_pages(State(control): State<Control>, request: Request, next: Next) -> Response {
    match control.guard.check_origin(way(&request), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn way(request: &Request) -> Way {
    // Each connection says so of its requests; without that it is the narrowest way.
    request.extensions().get().copied().unwrap_or(Way::Tcp(SocketAddr::from(([0, 0, 0, 0], 0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Way = Way::Tcp(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4711));

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn status(result: Result<(), Problem>) -> u16 {
        result.map_or_else(|problem| problem.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn pages_of_others_may_not_ask() {
        let guard = Guard::new(None);
        for (list, expected) in [
            (&[("host", "127.0.0.1:8080")][..], 200),
            (&[("host", "localhost")], 200),
            (&[("host", "[::1]:80")], 200),
            (&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")], 200),
            (&[("host", "127.0.0.1:8080"), ("origin", "http://evil.example")], 403),
            (&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:81")], 403),
            (&[("host", "127.0.0.1:8080"), ("origin", "null")], 403),
            (&[("host", "evil.example")], 403),
            (&[("host", "localhost.evil.example")], 403),
            (&[("host", "user@evil.example")], 403),
            (&[("host", "")], 403),
            (&[], 403),
        ] {
            assert_eq!(status(guard.check_origin(PEER, &headers(list))), expected, "{list:?}");
        }
        let guarded = Guard::new(Some(Token::of("secret-token-0123").unwrap()));
        assert_eq!(status(guarded.check_origin(PEER, &headers(&[("host", "bmc.example")]))), 200);
        assert_eq!(status(guard.check_origin(Way::Unix, &headers(&[("host", "x")]))), 200);
        assert_eq!(status(guard.check_origin(Way::Unix, &headers(&[("host", "x"), ("origin", "http://y")]))), 403);
    }

    #[test]
    fn who_guesses_tokens_waits() {
        let guard = Guard::new(Some(Token::of("secret-token-0123").unwrap()));
        let (right, wrong) =
            (("authorization", "Bearer secret-token-0123"), ("authorization", "bearer secret-token-0124"));
        let now = Instant::now();
        let check = |list: &[(&'static str, &str)], now| status(guard.check_token(PEER, &headers(list), now));
        assert_eq!(check(&[right], now), 200);
        assert_eq!(check(&[], now), 401);
        assert_eq!(check(&[("authorization", "Basic secret-token-0123")], now), 401);
        for _ in 0..WRONG_TOKENS {
            assert_eq!(check(&[wrong], now), 401);
        }
        assert_eq!(check(&[wrong], now), 429);
        assert_eq!(check(&[right], now), 429, "who knows it has to wait as well");
        let other = Way::Tcp(SocketAddr::from(([192, 0, 2, 2], 1)));
        assert_eq!(status(guard.check_token(other, &headers(&[right]), now)), 200);
        assert_eq!(status(guard.check_token(Way::Unix, &headers(&[]), now)), 200);
        assert_eq!(check(&[right], now + PERIOD + Duration::from_millis(1)), 200);
        // Those that are over make room for others.
        let from = |number: u32| Way::Tcp(SocketAddr::from((number.to_be_bytes(), 1)));
        let guess = |number, now| status(guard.check_token(from(number), &headers(&[wrong]), now));
        (1..5000).for_each(|number| assert_eq!(guess(number, now), 401));
        let later = now + 2 * PERIOD;
        (0..WRONG_TOKENS).for_each(|_| assert_eq!(guess(9000, later), 401));
        assert_eq!(guess(9000, later), 429);
    }
}
