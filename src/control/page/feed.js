// A list of what has happened, the newest first, that is written at most once a frame and never longer than it can be read.

import { h, oncePerFrame } from "./dom.js";
import { clock, eventText, eventTone } from "./words.js";

const SHOWN = 60;

function row(event, named) {
    const where = named && event.bmc
        ? h("a", { class: "mono", href: `#/bmc/${encodeURIComponent(event.bmc)}`, text: event.bmc })
        : null;
    return h("li", { class: `happened tone-${eventTone(event)}` },
        h("time", { datetime: event.time, text: clock(event.time) }),
        h("span", {}, where, where && " ", eventText(event)));
}

/** `named`: "named" when events of many BMCs are listed, so that each says whose it is. */
export class Feed {
    element;
    #list;
    #empty;
    #named;
    #events = [];
    #later = oncePerFrame(() => this.#draw());

    constructor({ named, empty }) {
        this.#named = named === "named";
        this.#list = h("ol", { class: "feed" });
        this.#empty = h("p", { class: "hint", text: empty });
        this.element = h("div", { class: "feed-box" }, this.#empty, this.#list);
    }

    /** Shows these, the newest first. */
    set events(events) {
        this.#events = events;
        this.#later();
    }

    #draw() {
        const events = this.#events.slice(0, SHOWN);
        this.#empty.hidden = events.length > 0;
        const old = new Map([...this.#list.children].map((element) => [element.event, element]));
        const rows = events.map((event) => {
            const element = old.get(event) ?? row(event, this.#named);
            element.event = event;
            return element;
        });
        const keep = new Set(rows);
        for (const element of old.values()) {
            if (!keep.has(element)) element.remove();
        }
        // What stays is not moved: it may have the focus.
        for (let at = rows.length - 1, next = null; at >= 0; at -= 1) {
            if (rows[at].nextSibling !== next || rows[at].parentNode !== this.#list) this.#list.insertBefore(rows[at], next);
            next = rows[at];
        }
    }
}
