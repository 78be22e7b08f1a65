// The whole fleet as a field of small squares: what is on, off and in alarm at a glance, and where in it the grid is. A
// click goes there. Who does not see it has the counts above and the grid below.

import { h, oncePerFrame } from "./dom.js";

const TALLEST = 64;
const SIZES = [14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1];
const COLOURS = ["on", "off", "alarm", "fault", "other", "sight"];

/** What colour a BMC has. */
export function tone(item) {
    if (item.alarms > 0) return "alarm";
    if (item.faults > 0) return "fault";
    if (item.state !== "running") return "other";
    return item.power === "on" ? "on" : "off";
}

/** `go(index)` is called for a click. */
export class Field {
    element;
    #canvas;
    #probes;
    #items = [];
    #sight = [0, -1];
    #size = 1;
    #columns = 1;
    #later = oncePerFrame(() => this.#draw());
    #drawn = false;
    #squares;
    #colours = {};
    #watch;

    constructor(go) {
        this.#canvas = h("canvas", {});
        // Colours are the style sheet's; a canvas has to be told them.
        this.#probes = COLOURS.map((name) => h("i", { class: `tone-${name}`, hidden: true }));
        // The squares as they were drawn last, so that scrolling moves a frame over them and no more.
        this.#squares = document.createElement("canvas");
        this.element = h("div", { class: "field", "aria-hidden": "true" }, this.#canvas, this.#probes);
        this.#canvas.addEventListener("click", (event) => {
            const index = this.#at(event);
            if (index !== null) go(index);
        });
        this.#canvas.addEventListener("mousemove", (event) => {
            const index = this.#at(event);
            const title = index === null ? "" : this.#items[index].name;
            if (this.#canvas.title !== title) this.#canvas.title = title;
        });
        this.#watch = new ResizeObserver(() => this.#anew());
        this.#watch.observe(this.element);
        addEventListener("theme", this.#themed);
        this.#dark.addEventListener("change", this.#themed);
    }

    #dark = matchMedia("(prefers-color-scheme: dark)");
    #themed = () => this.#anew();

    /** Ends it. */
    close() {
        this.#watch.disconnect();
        removeEventListener("theme", this.#themed);
        this.#dark.removeEventListener("change", this.#themed);
    }

    set items(items) {
        this.#items = items;
        this.#anew();
    }

    /** The first and last index that the grid shows. */
    set sight(range) {
        if (range[0] === this.#sight[0] && range[1] === this.#sight[1]) return;
        this.#sight = range;
        this.#later();
    }

    #at(event) {
        const column = Math.floor(event.offsetX / this.#size);
        const index = Math.floor(event.offsetY / this.#size) * this.#columns + column;
        return column < this.#columns && index < this.#items.length ? index : null;
    }

    #anew() {
        this.#drawn = false;
        this.#later();
    }

    #draw() {
        if (this.element.clientWidth === 0) return;
        if (!this.#drawn) this.#lay(this.element.clientWidth);
        const context = this.#canvas.getContext("2d");
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
        context.drawImage(this.#squares, 0, 0);
        const ratio = devicePixelRatio || 1;
        context.scale(ratio, ratio);
        this.#frame(context, this.#colours.sight);
    }

    #lay(width) {
        const count = this.#items.length;
        this.#size = SIZES.find((size) => Math.ceil(count / Math.floor(width / size)) * size <= TALLEST) ?? 1;
        this.#columns = Math.max(1, Math.floor(width / this.#size));
        const height = Math.max(1, Math.ceil(count / this.#columns) * this.#size);
        const ratio = devicePixelRatio || 1;
        for (const canvas of [this.#canvas, this.#squares]) {
            canvas.width = Math.round(width * ratio);
            canvas.height = Math.round(height * ratio);
        }
        this.#canvas.style.width = `${width}px`;
        this.#canvas.style.height = `${height}px`;
        this.#colours = Object.fromEntries(COLOURS.map((name, at) => [name, getComputedStyle(this.#probes[at]).color]));
        const context = this.#squares.getContext("2d");
        context.scale(ratio, ratio);
        this.#cells(context, this.#colours);
        this.#drawn = true;
    }

    #cells(context, colours) {
        const gap = this.#size > 4 ? 1.5 : this.#size > 2 ? 1 : 0;
        const side = this.#size - gap;
        const groups = new Map();
        this.#items.forEach((item, index) => {
            const name = tone(item);
            if (!groups.has(name)) groups.set(name, []);
            groups.get(name).push(index);
        });
        // What is wrong is drawn last and larger: one square among ten thousand has to be seen.
        const rest = [...groups.keys()].filter((name) => name !== "alarm" && name !== "fault");
        for (const name of [...rest, "fault", "alarm"]) {
            const grow = rest.includes(name) || this.#size > 6 ? 0 : 1.5;
            context.fillStyle = colours[name];
            for (const index of groups.get(name) ?? []) {
                const [x, y] = this.#corner(index);
                context.fillRect(x - grow, y - grow, side + 2 * grow, side + 2 * grow);
            }
        }
    }

    #corner(index) {
        return [(index % this.#columns) * this.#size, Math.floor(index / this.#columns) * this.#size];
    }

    /** A line under what is in sight. */
    #frame(context, colour) {
        const [first, last] = this.#sight;
        if (last < first || last - first + 1 >= this.#items.length) return;
        context.strokeStyle = colour;
        context.lineWidth = 1.5;
        for (let from = first; from <= last; ) {
            const end = Math.min(last, from - (from % this.#columns) + this.#columns - 1);
            const [x, y] = this.#corner(from);
            context.strokeRect(x, y, (end - from + 1) * this.#size - 1, this.#size - 0.5);
            from = end + 1;
        }
    }
}
