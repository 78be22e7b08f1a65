// The page: which view the address names, the state of the line, the token, light and dark.

import { ask, hasToken, onRefused, setToken } from "./api.js";
import { BmcView } from "./bmc.js";
import { h, write } from "./dom.js";
import { FleetView } from "./fleet.js";
import { Fleet } from "./store.js";

const fleet = new Fleet();
const main = document.getElementById("main");
let view = null;
let asking = false;

/** `#/bmc/NAME/TAB?q=...` taken apart. */
function route() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    const parts = path.split("/").filter(Boolean).map((part) => {
        try {
            return decodeURIComponent(part);
        } catch {
            return part;
        }
    });
    return { parts, params: new URLSearchParams(query) };
}

function crumbs(title) {
    const nav = document.getElementById("crumbs");
    nav.hidden = title === null;
    if (title === null) return;
    nav.replaceChildren(h("ol", {},
        h("li", {}, h("a", { href: "#/", text: "All BMCs" })),
        h("li", {}, h("span", { class: "mono", "aria-current": "page", text: title }))));
}

function leave() {
    view?.close();
    view = null;
    main.replaceChildren();
    document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
}

function show() {
    if (asking) return;
    const { parts, params } = route();
    const bmc = parts[0] === "bmc" && parts[1] !== undefined;
    if (bmc && view instanceof BmcView && view.name === parts[1]) {
        view.tab = parts[2];
        return;
    }
    if (!bmc && parts.length === 0 && view instanceof FleetView) {
        view.update(params);
        return;
    }
    const first = view === null;
    leave();
    if (bmc) view = new BmcView(fleet, parts[1], parts[2]);
    else if (parts.length === 0) view = new FleetView(fleet, params);
    else {
        crumbs("Not found");
        document.title = "Not found · ipmi_sim";
        main.append(h("div", { class: "empty" }, h("h1", { text: "There is no such page" }),
            h("p", {}, h("a", { href: "#/", text: "All BMCs" }))));
        return;
    }
    document.title = `${view.title} · ipmi_sim`;
    crumbs(bmc ? view.name : null);
    view.mount(main);
    // Who does not see that the page is another one hears it.
    if (!first) main.focus();
}

/** Asks for the token that the server wants. */
function askToken() {
    if (asking) return;
    asking = true;
    const tried = hasToken();
    leave();
    crumbs(null);
    document.title = "Token · ipmi_sim";
    const input = h("input", { type: "password", id: "token", name: "token", required: true, autocomplete: "current-password",
        "aria-describedby": "token-hint" });
    const wrong = h("p", { class: "wrong", role: "alert", text: tried ? "The server does not accept this token." : "" });
    const form = h("form", { class: "gate" },
        h("h1", { text: "Token" }),
        h("p", { id: "token-hint", text: "This server wants a bearer token: what is in the file that it was started with (--http-token-file). "
            + "It is kept until this tab is closed." }),
        h("label", { for: "token", text: "Bearer token" }), input, wrong,
        h("button", { type: "submit", class: "main", text: "Open" }));
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        button.disabled = true;
        wrong.textContent = "";
        setToken(input.value.trim());
        try {
            // One request tells; a server counts wrong tokens.
            await ask("GET", "/v1/bmcs?limit=1");
            asking = false;
            fleet.start();
            show();
        } catch (why) {
            wrong.textContent = why.status === 401 ? "The server does not accept this token." : why.message;
            button.disabled = false;
            input.select();
        }
    });
    main.append(form);
    input.focus();
}

const LINK = {
    connecting: ["Connecting …", "idle"],
    live: ["Live", "good"],
    refused: ["Token wanted", "warn"],
    gone: ["No events here", "warn"],
};

function line() {
    const { word, until } = fleet.link;
    const box = document.getElementById("link");
    const again = document.getElementById("again");
    let [text, tone] = LINK[word] ?? ["", "idle"];
    if (word === "waiting") {
        const seconds = Math.max(1, Math.ceil((until - performance.now()) / 1000));
        // The seconds are for the eye; who listens is told once.
        text = "Reconnecting";
        tone = "bad";
        box.dataset.seconds = ` in ${seconds} s`;
    } else {
        delete box.dataset.seconds;
    }
    write(box, text);
    box.className = `link ${tone}`;
    again.hidden = word !== "waiting";
}

const THEMES = { system: "◐ System", light: "○ Light", dark: "● Dark" };

function themeButton() {
    const button = document.getElementById("theme");
    const text = () => {
        button.textContent = THEMES[window.theme.choice];
        button.setAttribute("aria-label", `Colours: ${window.theme.choice}. Change`);
    };
    button.addEventListener("click", () => {
        window.theme.next();
        text();
    });
    text();
}

onRefused(askToken);
document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
});
document.getElementById("again").addEventListener("click", () => fleet.again());
fleet.addEventListener("link", line);
setInterval(() => fleet.link.word === "waiting" && line(), 1000);
addEventListener("hashchange", show);
themeButton();
fleet.start();
show();
