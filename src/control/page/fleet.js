// All BMCs: counts that are filters, the field of squares, the grid, and what happens now.

import { h, mark, say, svg, write } from "./dom.js";
import { Feed } from "./feed.js";
import { Grid } from "./grid.js";
import { Field, tone } from "./map.js";
import { count, plural, POWER } from "./words.js";

const TILE = { cellWidth: 186, rowHeight: 60 };
const LOOK = 4000;

const SHOWS = [
    ["all", "BMCs", () => true],
    ["on", "on", (item) => item.power === "on"],
    ["off", "off", (item) => item.power === "off"],
    ["alarms", "in alarm", (item) => item.alarms > 0],
    ["sessions", "in use", (item) => item.sessions > 0],
    ["faults", "with faults", (item) => item.faults > 0],
];

const ORDERS = [
    ["name", "Name", null],
    ["alarms", "Alarms first", (a, b) => b.alarms - a.alarms],
    ["sessions", "Sessions first", (a, b) => b.sessions - a.sessions],
    ["sel", "Longest log first", (a, b) => b.sel_records - a.sel_records],
];

/** How the grid was left, so that Back comes to the same place. */
let left = { offset: 0, active: null };

function makeTile() {
    return h("a", { class: "tile" },
        h("span", { class: "line" },
            h("span", { class: "lamp" }),
            h("span", { class: "name" }),
            h("span", { class: "crossed" }),
            h("span", { class: "used-by" })),
        h("span", { class: "line" },
            h("span", { class: "where" }),
            h("span", { class: "records" })));
}

function showTile(link, item) {
    const [[lamp, name, crossed, usedBy], [where, records]] = [...link.children].map((line) => line.children);
    link.href = `#/bmc/${encodeURIComponent(item.name)}`;
    lamp.className = `lamp ${item.power}`;
    link.className = `tile ${tone(item)}`;
    write(name, item.name);
    link.title = item.name;
    write(crossed, item.alarms > 0 ? `▲ ${item.alarms}` : "");
    write(usedBy, item.sessions > 0 ? `⇄ ${item.sessions}` : "");
    write(where, item.state === "running" ? item.addresses[0] ?? "no address" : item.state);
    write(records, item.sel_records > 0 ? `SEL ${count(item.sel_records)}` : "");
    mark(link, "aria-label", spoken(item));
}

function spoken(item) {
    const parts = [item.name, `power ${POWER[item.power] ?? item.power}`];
    if (item.state !== "running") parts.push(item.state);
    if (item.alarms > 0) parts.push(plural(item.alarms, "alarm"));
    if (item.faults > 0) parts.push(plural(item.faults, "fault"));
    if (item.sessions > 0) parts.push(plural(item.sessions, "session"));
    if (item.sel_records > 0) parts.push(plural(item.sel_records, "log record"));
    return parts.join(", ");
}

/** What a search finds: parts of names and addresses, or whole ones with * and ?. */
export function matcher(text) {
    const wanted = text.trim().toLowerCase();
    if (wanted === "") return () => true;
    if (!/[*?]/.test(wanted)) return (item) => item.found.includes(wanted);
    const escaped = wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
    const pattern = new RegExp(`^${escaped}$`);
    return (item) => pattern.test(item.name.toLowerCase()) || item.addresses.some((address) => pattern.test(address));
}

/** The view of all BMCs. */
export class FleetView {
    title = "All BMCs";
    #fleet;
    #place;
    #choice;
    #counts;
    #grid;
    #field;
    #feed;
    #empty;
    #found;
    #timers = [];
    #stop = new AbortController();
    #shown = [];
    #sight = [0, -1];

    constructor(fleet, params) {
        this.#fleet = fleet;
        this.#choice = { q: params.get("q") ?? "", show: params.get("show") ?? "all", sort: params.get("sort") ?? "name" };
    }

    /** Shows it. */
    mount(main) {
        this.#grid = new Grid({ label: "BMCs", ...TILE, make: makeTile, show: showTile });
        this.#field = new Field((index) => this.#grid.go(index));
        this.#grid.seen = (first, last) => {
            this.#sight = [first, last];
            this.#field.sight = this.#sight;
        };
        this.#feed = new Feed({ named: "named", empty: "Nothing has happened since this page was opened." });
        this.#empty = h("div", { class: "empty" });
        this.#found = h("p", { class: "found" });
        main.append(h("div", { class: "fleet" },
            h("h1", { class: "unseen", text: "All BMCs" }),
            h("div", { class: "head" }, this.#filters(), this.#tools(), this.#field.element),
            h("div", { class: "stage" }, this.#grid.element, this.#empty),
            h("aside", { class: "side", "aria-labelledby": "activity" },
                h("h2", { id: "activity", text: "Activity" }), this.#feed.element)));
        const signal = this.#stop.signal;
        this.#fleet.addEventListener("change", () => this.#draw(), { signal });
        this.#fleet.addEventListener("event", () => this.#happened(), { signal });
        document.addEventListener("keydown", (event) => this.#key(event), { signal });
        this.#timers.push(setInterval(() => this.#look(), LOOK));
        this.#happened();
        this.#draw();
        this.#grid.active = left.active;
        this.#grid.offset = left.offset;
    }

    /** Leaves it. */
    close() {
        left = { offset: this.#grid.offset, active: this.#grid.active };
        this.#stop.abort();
        this.#timers.forEach(clearInterval);
        this.#grid.close();
        this.#field.close();
    }

    /** Takes other filters from the address; false when it has to be made anew. */
    update(params) {
        const q = params.get("q") ?? "";
        this.#choice = { q, show: params.get("show") ?? "all", sort: params.get("sort") ?? "name" };
        if (this.#search.value.trim() !== q) this.#search.value = q;
        this.#sort.value = this.#choice.sort;
        this.#draw();
        return true;
    }

    #search;
    #sort;

    #filters() {
        this.#counts = SHOWS.map(([key, label]) => {
            const number = h("b", { text: "–" });
            const button = h("button", { type: "button", class: `stat ${key}`, "data-show": key, onclick: () => this.#choose({ show: key }) },
                number, h("span", { text: label }));
            return { key, number, button };
        });
        return h("div", { class: "stats", role: "group", "aria-label": "Show" }, this.#counts.map(({ button }) => button));
    }

    #tools() {
        this.#search = h("input", {
            type: "search", id: "search", placeholder: "Name or address, * and ? allowed", value: this.#choice.q, autocomplete: "off",
            spellcheck: "false", "aria-label": "Find a BMC by name or address", "aria-keyshortcuts": "/",
        });
        this.#search.addEventListener("input", () => this.#choose({ q: this.#search.value.trim() }));
        this.#search.addEventListener("keydown", (event) => this.#searchKey(event));
        this.#sort = h("select", { id: "sort" }, ORDERS.map(([key, label]) => h("option", { value: key, text: label })));
        this.#sort.value = this.#choice.sort;
        this.#sort.addEventListener("change", () => this.#choose({ sort: this.#sort.value }));
        return h("div", { class: "tools" },
            h("div", { class: "search" },
                svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" },
                    svg("circle", { cx: 7, cy: 7, r: 4.5 }), svg("path", { d: "M10.5 10.5 14 14" })),
                this.#search, h("kbd", { "aria-hidden": "true", text: "/" })),
            h("label", { class: "field-label", for: "sort", text: "Sort" }), this.#sort, this.#found);
    }

    #choose(change) {
        this.#choice = { ...this.#choice, ...change };
        const { q, show, sort } = this.#choice;
        const params = new URLSearchParams();
        if (q) params.set("q", q);
        if (show !== "all") params.set("show", show);
        if (sort !== "name") params.set("sort", sort);
        const text = params.toString();
        history.replaceState(null, "", `#/${text ? `?${text}` : ""}`);
        this.#draw();
        clearTimeout(this.#saying);
        this.#saying = setTimeout(() => say(this.#foundText()), 500);
    }

    #saying = 0;

    #foundText() {
        const all = this.#fleet.items.length;
        return this.#shown.length === all ? plural(all, "BMC") : `${count(this.#shown.length)} of ${plural(all, "BMC")}`;
    }

    #draw() {
        const { items } = this.#fleet;
        const { q, show, sort } = this.#choice;
        const found = matcher(q);
        const wanted = SHOWS.find(([key]) => key === show)?.[2] ?? SHOWS[0][2];
        this.#shown = items.filter((item) => wanted(item) && found(item));
        const order = ORDERS.find(([key]) => key === sort)?.[2];
        if (order) this.#shown.sort(order);
        for (const { key, number, button } of this.#counts) {
            const holds = SHOWS.find(([name]) => name === key)[2];
            const many = items.reduce((sum, item) => sum + (holds(item) ? 1 : 0), 0);
            write(number, this.#fleet.loaded ? count(many) : "–");
            mark(button, "aria-pressed", String(key === show));
            button.classList.toggle("some", many > 0);
            if (key === "faults") button.hidden = many === 0 && show !== key;
        }
        write(this.#found, this.#fleet.loaded ? this.#foundText() : "");
        this.#grid.items = this.#shown;
        this.#field.items = this.#shown;
        this.#nothing();
    }

    /** What is said in place of a grid. */
    #nothing() {
        const { loaded, problem, items } = this.#fleet;
        const none = this.#shown.length === 0;
        this.#grid.element.hidden = none;
        this.#field.element.hidden = none;
        this.#empty.hidden = !none;
        if (!none) return;
        const key = !loaded ? (problem ? `problem ${problem.message}` : "loading") : items.length === 0 ? "empty" : "nothing";
        if (this.#empty.dataset.key === key) return;
        this.#empty.dataset.key = key;
        if (!loaded && !problem) {
            this.#empty.replaceChildren(h("p", { text: "Getting the list of BMCs …" }));
        } else if (!loaded) {
            const again = h("button", { type: "button", text: "Try again", onclick: () => this.#fleet.again() });
            this.#empty.replaceChildren(h("h2", { text: "The list cannot be had" }), h("p", { text: problem.message }), again);
        } else if (items.length === 0) {
            this.#empty.replaceChildren(h("h2", { text: "There is no BMC" }),
                h("p", { text: "As soon as one is created, by ipmi_simctl create or a PUT to /v1/bmcs, it shows here." }));
        } else {
            const clear = h("button", { type: "button", text: "Show all", onclick: () => this.#clear() });
            this.#empty.replaceChildren(h("h2", { text: "No BMC matches" }),
                h("p", { text: "Nothing has this name or address among what is shown." }), clear);
        }
    }

    #clear() {
        this.#search.value = "";
        this.#choose({ q: "", show: "all" });
        this.#search.focus();
    }

    #happened() {
        this.#feed.events = this.#fleet.events;
    }

    /** What is looked at is kept fresh: a sensor may change without an event. */
    #look() {
        if (document.hidden || this.#fleet.link.word !== "live") return;
        const [first, last] = this.#sight;
        const names = this.#shown.slice(first, last + 1).map((item) => item.name);
        if (names.length > 0) this.#fleet.look(names);
    }

    #key(event) {
        const typing = event.target.closest("input, textarea, select, dialog");
        if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.#search.focus();
        this.#search.select();
    }

    #searchKey(event) {
        if (event.key === "Enter" && this.#shown.length === 1) {
            location.hash = `#/bmc/${encodeURIComponent(this.#shown[0].name)}`;
        } else if (event.key === "Enter" || event.key === "ArrowDown") {
            event.preventDefault();
            this.#grid.go(0);
        }
    }
}
