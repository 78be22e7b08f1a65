// Statements of the command language, run on this BMC: what they say and what is wrong with them.

import { h, note, say } from "./dom.js";

const KEPT = 50;
/** What was run lately, newest last; it outlives the tab. */
const ran = [];

/** What is wrong, below the statement and its prompt. */
function fault(one) {
    return h("div", { class: "fault" },
        one.column && h("pre", { class: "caret", "aria-hidden": "true", text: `${" ".repeat(one.column + 1)}^` }),
        h("p", {}, h("b", { text: one.severity === "warning" ? "Warning: " : "Error: " }), `${one.message}${one.column ? ` (column ${one.column})` : ""}`));
}

function entry({ line, output, faults }) {
    return h("li", {},
        h("pre", { class: "typed", text: `> ${line}` }),
        (faults ?? []).map(fault),
        output && h("pre", { text: output.trimEnd() }),
        !output && !faults?.length && h("p", { class: "hint", text: "Done." }));
}

/** The tab of a BMC. */
export class StatementsTab {
    #view;
    #text = h("textarea", { id: "lines", rows: 3, spellcheck: "false", autocapitalize: "off", "aria-describedby": "lines-hint",
        placeholder: "sensor_set_value 0x20 0 1 85 1" });
    #run = h("button", { type: "submit", class: "main", text: "Run" });
    #out = h("ol", { class: "output plain", "aria-label": "Output" });
    #at = ran.length;

    constructor(view) {
        this.#view = view;
    }

    mount(container) {
        const hint = "One statement a line. Ctrl and Enter run them; Alt with the arrow up brings back what was run before. "
            + "“help” lists what there is.";
        const form = h("form", { class: "statements-form" }, h("label", { for: "lines", text: "Statements" }), this.#text,
            h("div", { class: "row" }, h("p", { class: "hint", id: "lines-hint", text: hint }), this.#run));
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#send();
        });
        this.#text.addEventListener("keydown", (event) => this.#key(event));
        container.append(form, this.#out);
    }

    #key(event) {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            this.#send();
        } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
            event.preventDefault();
            this.#at = Math.min(Math.max(this.#at + (event.key === "ArrowUp" ? -1 : 1), 0), ran.length);
            this.#text.value = ran[this.#at] ?? "";
        }
    }

    async #send() {
        const text = this.#text.value.trim();
        if (text === "" || this.#run.disabled) return;
        this.#run.disabled = true;
        if (ran.at(-1) !== text) ran.push(text);
        this.#at = ran.length;
        const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
        try {
            this.#show((await this.#view.ask("POST", ["statements"], { lines })).lines);
        } catch (why) {
            if (why.status === 422 && why.faults?.length) {
                this.#show(why.faults.map((one) => ({ line: lines[(one.line ?? 1) - 1] ?? lines[0], output: "", faults: [one] })));
            } else if (why.status !== 401) {
                note(why.message);
            }
        }
        this.#run.disabled = false;
        this.#view.changed();
    }

    #show(lines) {
        this.#out.prepend(...lines.map(entry));
        while (this.#out.children.length > KEPT) this.#out.lastChild.remove();
        const wrong = lines.reduce((sum, one) => sum + (one.faults?.length ?? 0), 0);
        const said = lines.map((one) => one.output).filter(Boolean).join(" ").slice(0, 300);
        say(wrong > 0 ? `${wrong} wrong: ${lines.flatMap((one) => one.faults ?? [])[0].message}` : said || "Done");
    }
}
