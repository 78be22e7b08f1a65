// Requests to the control door: the token, JSON, and what went wrong as one kind of error.

const KEY = "ipmi_sim.token";
const LIMIT = 30_000;

let token = sessionStorage.getItem(KEY) ?? "";
let refused = () => {};

/** What went wrong: `status` as of HTTP, 0 when there was no response; `faults` are places in a text. */
export class Problem extends Error {
    constructor(status, title, detail, faults = []) {
        super(detail || title);
        this.status = status;
        this.title = title;
        this.faults = faults;
    }
}

/** Called whenever the server wants a token, or another one. */
export function onRefused(listener) {
    refused = listener;
}

/** Keeps a token until this tab is closed. */
export function setToken(text) {
    token = text;
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
}

/** Whether a token has been given. */
export function hasToken() {
    return token !== "";
}

/** The headers of every request. */
export function headers(more = {}) {
    return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** The error that a response is. */
export async function problem(response) {
    let body = {};
    try {
        body = await response.json();
    } catch {
        // Not everything on the way speaks JSON.
    }
    const found = new Problem(response.status, body.title ?? response.statusText, body.detail, body.faults);
    if (response.status === 401) refused(found);
    return found;
}

/** One request; the value of the JSON that comes back, or null when nothing does. */
export async function ask(method, path, body) {
    const options = { method, headers: headers(), signal: AbortSignal.timeout(LIMIT), cache: "no-store" };
    if (body !== undefined) {
        options.body = JSON.stringify(body);
        options.headers = headers({ "Content-Type": "application/json" });
    }
    let response;
    try {
        response = await fetch(path, options);
    } catch (why) {
        const late = why.name === "TimeoutError";
        throw new Problem(0, late ? "The server takes too long" : "The server does not answer");
    }
    if (!response.ok) throw await problem(response);
    if (response.status === 204) return null;
    try {
        return await response.json();
    } catch {
        throw new Problem(0, "The response ended too early");
    }
}

/** The path of a BMC, or of something of it. */
export function bmcPath(name, ...rest) {
    return ["/v1/bmcs", ...[name, ...rest].map(encodeURIComponent)].join("/");
}
