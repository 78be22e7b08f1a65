// What the BMC's SOL port says, as plain text: the escape sequences of terminals are taken out, and what they would have
// moved about is left where it came.

import { bmcPath } from "./api.js";
import { h, oncePerFrame, write } from "./dom.js";
import { Stream } from "./stream.js";

const LINES = 2000;

/** Makes lines of the bytes of a terminal. State is kept between pieces: a sequence may be cut in two. */
export class Plain {
    /** Lines, the last of which is still being written. */
    lines = [""];
    #decoder = new TextDecoder("utf-8");
    #mode = "text";
    #column = 0;

    /** Takes the next bytes. */
    feed(bytes) {
        for (const character of this.#decoder.decode(bytes, { stream: true })) this.#take(character);
        if (this.lines.length > LINES) this.lines.splice(0, this.lines.length - LINES);
    }

    #take(c) {
        const code = c.codePointAt(0);
        switch (this.#mode) {
            case "escape":
                if (c === "[") this.#mode = "control";
                else if (c === "]" || c === "P" || c === "_" || c === "^" || c === "X") this.#mode = "string";
                else if (code >= 0x20 && code <= 0x2f) this.#mode = "designate";
                else this.#mode = "text";
                return;
            case "designate":
                if (code < 0x20 || code > 0x2f) this.#mode = "text";
                return;
            case "control":
                if (code === 0x1b) this.#mode = "escape";
                else if (code >= 0x40 && code <= 0x7e) this.#mode = "text";
                return;
            case "string":
                if (code === 0x07) this.#mode = "text";
                else if (code === 0x1b) this.#mode = "string-end";
                return;
            case "string-end":
                this.#mode = c === "\\" ? "text" : "string";
                return;
            default:
                this.#text(c, code);
        }
    }

    #text(c, code) {
        if (code === 0x1b) this.#mode = "escape";
        else if (c === "\n") {
            this.lines.push("");
            this.#column = 0;
        } else if (c === "\r") this.#column = 0;
        else if (c === "\b") this.#column = Math.max(0, this.#column - 1);
        else if (c === "\t") {
            const to = (Math.floor(this.#column / 8) + 1) * 8;
            while (this.#column < to) this.#put(" ");
        } else if (code >= 0x20 && code !== 0x7f && (code < 0x80 || code > 0x9f)) this.#put(c);
    }

    #put(c) {
        const line = this.lines[this.lines.length - 1];
        if (this.#column > 4000) return;
        this.lines[this.lines.length - 1] = line.slice(0, this.#column).padEnd(this.#column) + c + line.slice(this.#column + 1);
        this.#column += 1;
    }
}

const WORDS = { connecting: "Connecting …", live: "Live", waiting: "The line is down, it is tried again", gone: "This BMC has no SOL port",
    refused: "Token wanted" };

/** The tab of a BMC. */
export class ConsoleTab {
    #view;
    #plain = new Plain();
    #screen = h("pre", { class: "screen", tabindex: "0", role: "log", "aria-label": "What the SOL port says", "aria-live": "off" });
    #state = h("p", { class: "used", role: "status" });
    #follow = h("input", { type: "checkbox", id: "follow", checked: true });
    #stream = null;
    #later = oncePerFrame(() => this.#draw());
    #before = null;

    constructor(view) {
        this.#view = view;
    }

    mount(container) {
        const clear = h("button", { type: "button", text: "Clear the screen", onclick: () => this.#clear() });
        container.append(h("div", { class: "row tools" }, this.#state,
            h("label", { for: "follow", class: "check" }, this.#follow, " Follow"), clear), this.#screen);
        this.#follow.addEventListener("change", () => this.#draw());
        this.#screen.append(h("span", { class: "hint", text: "Nothing has been said yet. What comes from the SOL port shows here." }));
        this.#stream = new Stream(`${bmcPath(this.#view.name, "console")}?history=true`, {
            event: (kind, value) => this.#take(kind, value),
            state: (word) => this.#tell(word),
        });
    }

    close() {
        this.#stream?.close();
    }

    #tell(word) {
        write(this.#state, WORDS[word] ?? word);
        this.#state.className = `used link ${word === "live" ? "good" : word === "connecting" ? "idle" : "bad"}`;
        // The history comes again with every line.
        if (word === "live" && this.#before === "waiting") this.#plain = new Plain();
        if (word !== "connecting") this.#before = word;
    }

    #take(kind, value) {
        if (kind === "trouble") this.#screen.replaceChildren(h("span", { class: "hint", text: value.detail }));
        if (kind === "lost") this.#plain.feed(new TextEncoder().encode(`\r\n[${value.lost} bytes missed]\r\n`));
        if (kind !== "output" || typeof value.data !== "string") return;
        let text;
        try {
            text = atob(value.data);
        } catch {
            return;
        }
        this.#plain.feed(Uint8Array.from(text, (c) => c.charCodeAt(0)));
        this.#later();
    }

    #draw() {
        write(this.#screen, this.#plain.lines.join("\n"));
        if (this.#follow.checked) this.#screen.scrollTop = this.#screen.scrollHeight;
    }

    #clear() {
        this.#plain = new Plain();
        this.#draw();
    }
}
