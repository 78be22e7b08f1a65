// Server-sent events through fetch, which can send a token where EventSource cannot. A stream that ends is opened again,
// later and later, and goes on after the last event that was seen.

import { headers, problem } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
/** The server says something every 15 seconds; a line that is silent for longer is dead. */
const SILENCE = 40_000;

/** Takes pieces of text apart into events: `{id, event, data}`. */
export class Reader {
    #rest = "";
    #event = {};

    /** The events that end in this piece. */
    feed(piece) {
        const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
        this.#rest = lines.pop();
        const events = [];
        for (const line of lines) {
            if (line === "") {
                if (this.#event.data !== undefined) events.push(this.#event);
                this.#event = {};
                continue;
            }
            const colon = line.indexOf(":");
            if (colon === 0) continue;
            const field = colon < 0 ? line : line.slice(0, colon);
            const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
            if (field === "data") this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
            else if (field === "id" || field === "event") this.#event[field] = value;
        }
        return events;
    }
}

/**
 * A stream that is kept open until `close`. `event(name, value)` gets each event; `state(word, wait)` is told
 * `connecting`, `live`, `waiting` (for so many ms), `refused` (the token) and `gone` (there is no such thing).
 */
export class Stream {
    #path;
    #on;
    #last;
    #abort = null;
    #closed = false;
    #wait = FIRST_WAIT;
    #timer = 0;
    #silence = 0;

    constructor(path, on, last = null) {
        this.#path = path;
        this.#on = on;
        this.#last = last;
        this.#open();
    }

    /** Ends it; nothing more is told. */
    close() {
        this.#closed = true;
        clearTimeout(this.#timer);
        clearTimeout(this.#silence);
        this.#abort?.abort();
    }

    /** Tries again at once instead of later. */
    again() {
        if (this.#timer) {
            this.#wait = FIRST_WAIT;
            this.#open();
        }
    }

    async #open() {
        clearTimeout(this.#timer);
        this.#timer = 0;
        this.#abort = new AbortController();
        this.#tell("connecting");
        try {
            await this.#read();
        } catch {
            // However it ended, it is opened again.
        }
        clearTimeout(this.#silence);
        if (this.#closed) return;
        if (this.#wait === Infinity) return;
        const wait = this.#wait * (0.75 + Math.random() / 2);
        this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
        this.#timer = setTimeout(() => this.#open(), wait);
        this.#tell("waiting", wait);
    }

    async #read() {
        const more = { Accept: "text/event-stream" };
        if (this.#last !== null) more["Last-Event-ID"] = this.#last;
        this.#alive();
        const response = await fetch(this.#path, { headers: headers(more), signal: this.#abort.signal, cache: "no-store" });
        if (!response.ok) {
            await problem(response);
            if (response.status === 401) this.#stop("refused");
            else if (response.status === 404) this.#stop("gone");
            return;
        }
        this.#tell("live");
        const source = response.body.pipeThrough(new TextDecoderStream()).getReader();
        const reader = new Reader();
        for (;;) {
            const { value, done } = await source.read();
            if (done || this.#closed) return;
            this.#wait = FIRST_WAIT;
            this.#alive();
            for (const { id, event, data } of reader.feed(value)) {
                if (id !== undefined) this.#last = id;
                this.#give(event ?? "message", data);
            }
        }
    }

    #give(event, data) {
        let value;
        try {
            value = JSON.parse(data);
        } catch {
            return;
        }
        this.#on.event(event, value);
    }

    #alive() {
        clearTimeout(this.#silence);
        this.#silence = setTimeout(() => this.#abort.abort(), SILENCE);
    }

    #stop(word) {
        this.#wait = Infinity;
        this.#tell(word);
    }

    #tell(word, wait) {
        if (!this.#closed) this.#on.state?.(word, wait);
    }
}
