// What is known of all BMCs: a full list now and then, the events in between, and what those say has changed asked for
// again. A BMC's summary is replaced when it changes and never altered, so that whoever draws compares identities.

import { ask, bmcPath } from "./api.js";
import { lookUp } from "./records.js";
import { Stream } from "./stream.js";

const PAGE = 10_000;
const FULL = 20_000;
const SETTLE = 200;
const TELL = 100;
/** More BMCs than this at once are asked for by one list. */
const FEW = 24;
const KEPT_EVENTS = 200;
/** As many summaries are asked for again together. */
const STRETCH = 300;

const order = new Intl.Collator("en", { numeric: true });
const FIELDS = ["state", "power", "sessions", "alarms", "sel_records", "faults"];

function same(old, now) {
    return FIELDS.every((field) => old[field] === now[field]) && String(old.addresses) === String(now.addresses);
}

function summary(value) {
    const { name, addresses = [] } = value;
    const made = { name, addresses, found: `${name} ${addresses.join(" ")}`.toLowerCase() };
    for (const field of FIELDS) made[field] = value[field];
    return made;
}

/** All BMCs. Dispatches `change` when summaries changed, `event` with each event, `link` with the state of the line. */
export class Fleet extends EventTarget {
    items = [];
    byName = new Map();
    /** The newest events, the newest first. */
    events = [];
    loaded = false;
    problem = null;
    link = { word: "connecting", until: 0 };
    #stream = null;
    #dirty = new Set();
    #timer = 0;
    #loading = null;
    #cost = 0;
    #loadedAt = 0;
    #told = false;
    /** Names in the server's order. */
    #ranked = [];

    /** Begins, or begins again with another token. */
    start() {
        this.#stream?.close();
        this.#stream = new Stream("/v1/events", {
            event: (kind, event) => this.#take(kind, event),
            state: (word, wait) => this.#linked(word, wait),
        });
        this.load();
        clearInterval(this.#timer);
        this.#timer = setInterval(() => this.#tick(), 1000);
    }

    /** Tries the line again at once. */
    again() {
        this.#stream?.again();
        this.load();
    }

    /** Gets the whole list. */
    load() {
        this.#loading ??= this.#load().finally(() => {
            this.#loading = null;
        });
        return this.#loading;
    }

    /** Has a BMC asked for again soon. */
    stale(name) {
        this.#dirty.add(name);
        if (this.#dirty.size === 1) setTimeout(() => this.#settle(), SETTLE);
    }

    /** Takes a newer summary, or what has a summary's fields. */
    put(value) {
        const old = this.byName.get(value.name);
        const now = summary(value);
        if (old && same(old, now)) return;
        this.byName.set(now.name, now);
        if (old) this.items[this.items.indexOf(old)] = now;
        else this.#sort();
        this.#changed();
    }

    /** Gets these BMCs again, where they are close together in the server's list. */
    async look(names) {
        const [first, last] = names.reduce(([low, high], name) => [name < low ? name : low, name > high ? name : high],
            [names[0], names[0]]);
        const from = this.#ranked.indexOf(first);
        const to = this.#ranked.indexOf(last);
        if (from < 0 || to - from >= STRETCH || this.#loading) return;
        const after = from > 0 ? `&after=${encodeURIComponent(this.#ranked[from - 1])}` : "";
        try {
            const { bmcs } = await ask("GET", `/v1/bmcs?limit=${to - from + 1}${after}`);
            for (const value of bmcs) {
                if (this.byName.has(value.name)) this.put(value);
            }
        } catch {
            // The full list tells what is wrong.
        }
    }

    async #load() {
        const begun = performance.now();
        try {
            const names = new Map();
            let after = null;
            do {
                const more = after === null ? "" : `&after=${encodeURIComponent(after)}`;
                const page = await ask("GET", `/v1/bmcs?limit=${PAGE}${more}`);
                for (const value of page.bmcs) names.set(value.name, this.#kept(value));
                after = page.next;
            } while (after !== null && after !== undefined);
            const moved = names.size !== this.byName.size || [...names.keys()].some((name) => !this.byName.has(name));
            this.byName = names;
            this.#ranked = [...names.keys()];
            if (moved || !this.loaded) this.#sort();
            else this.items = this.items.map((item) => names.get(item.name));
            this.loaded = true;
            this.problem = null;
        } catch (why) {
            this.problem = why;
        }
        this.#cost = performance.now() - begun;
        this.#loadedAt = performance.now();
        this.#changed();
    }

    #kept(value) {
        const old = this.byName.get(value.name);
        const now = summary(value);
        return old && same(old, now) ? old : now;
    }

    #sort() {
        this.items = [...this.byName.values()].sort((a, b) => order.compare(a.name, b.name));
    }

    #tick() {
        const age = performance.now() - this.#loadedAt;
        const wanted = this.link.word === "live" ? FULL : 5000;
        if (!document.hidden && this.link.word !== "refused" && age > Math.max(wanted, this.#cost * 20)) this.load();
    }

    async #settle() {
        const age = performance.now() - this.#loadedAt;
        if (this.#dirty.size > FEW && age < Math.max(2000, this.#cost * 20)) {
            setTimeout(() => this.#settle(), 1000);
            return;
        }
        const names = [...this.#dirty];
        this.#dirty.clear();
        if (names.length > FEW) {
            await this.load();
            return;
        }
        for (const name of names) {
            try {
                this.put(await ask("GET", bmcPath(name)));
            } catch (why) {
                if (why.status === 404) this.#drop(name);
            }
        }
    }

    #drop(name) {
        if (this.byName.delete(name)) {
            this.items = this.items.filter((item) => item.name !== name);
            this.#changed();
        }
    }

    #take(kind, event) {
        if (kind === "lost") {
            this.#keep({ kind: "lost", time: new Date().toISOString(), lost: event.lost });
            this.load();
            return;
        }
        const item = this.byName.get(event.bmc);
        if (kind === "bmc_removed") this.#drop(event.bmc);
        else {
            if (kind === "power_done" && item && item.power !== event.power) this.put({ ...item, power: event.power });
            this.stale(event.bmc);
        }
        this.#keep(event);
    }

    #keep(event) {
        this.events.unshift(event);
        if (this.events.length > KEPT_EVENTS) this.events.length = KEPT_EVENTS;
        lookUp(event, (more) => {
            const at = this.events.indexOf(event);
            if (at < 0) return;
            this.events[at] = more;
            this.dispatchEvent(new CustomEvent("event", { detail: more }));
        });
        this.dispatchEvent(new CustomEvent("event", { detail: event }));
    }

    #linked(word, wait = 0) {
        const before = this.link.word;
        this.link = { word, until: performance.now() + wait };
        if (word === "live" && before !== "live" && this.loaded) this.load();
        this.dispatchEvent(new Event("link"));
    }

    /** However much changes, it is told ten times a second at most, and at once where nothing was told lately. */
    #changed() {
        if (this.#told) return;
        this.#told = true;
        const tell = () => {
            this.#told = false;
            this.#toldAt = performance.now();
            this.dispatchEvent(new Event("change"));
        };
        setTimeout(tell, Math.max(0, this.#toldAt + TELL - performance.now()));
    }

    #toldAt = -Infinity;
}
